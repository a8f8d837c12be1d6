"""The outbox: what it drops, when it sends, and the stamp on each message."""

import os
import socket
import threading
import time

from vramtop.protocol.lesson.messages import LessonEnded
from vramtop.protocol.messages import Flow, Note
from vramtop.protocol.wire.envelope import Sender
from vramtop.trainer.session.outbox import Outbox


def take(outbox):
    return [envelope.message for envelope in outbox.take()]


def test_only_the_latest_offer_of_a_kind_is_sent():
    outbox = Outbox()
    for steps in range(5):
        outbox.offer(LessonEnded(steps, 0))
    assert take(outbox) == [LessonEnded(4, 0)]


def test_a_posted_message_is_never_dropped():
    outbox = Outbox()
    notes = [Note(str(number)) for number in range(100)]
    for note in notes:
        outbox.post(note)
    assert take(outbox) == notes


def test_an_offer_stays_behind_what_was_posted_before_it():
    outbox = Outbox()
    outbox.offer(LessonEnded(1, 0))
    outbox.post(Note("a change"))
    outbox.offer(LessonEnded(2, 0))
    outbox.offer(Flow(False, False))
    assert take(outbox) == [Note("a change"), LessonEnded(2, 0), Flow(False, False)]


def test_a_posted_message_stays_when_its_kind_is_offered_later():
    outbox = Outbox()
    outbox.post(LessonEnded(1, 0))
    for steps in (2, 3):
        outbox.offer(LessonEnded(steps, 0))
    assert take(outbox) == [LessonEnded(1, 0), LessonEnded(3, 0)]


def test_a_patient_outbox_drops_no_offer_and_waits_for_its_reader():
    outbox = Outbox(patient=True)
    count = Outbox.PATIENT_BACKLOG + 100

    def offer_all():
        for steps in range(count):
            outbox.offer(LessonEnded(steps, 0))
        outbox.close()

    writer = threading.Thread(target=offer_all)
    writer.start()
    received = []
    while messages := take(outbox):
        assert len(messages) <= Outbox.PATIENT_BACKLOG
        received += messages
    writer.join()
    assert received == [LessonEnded(steps, 0) for steps in range(count)]


def test_a_message_that_may_wait_is_sent_with_the_next_urgent_one():
    outbox = Outbox()
    outbox.pace = 3600
    outbox.post(Note("the first message waits for nothing"), at_once=False)
    take(outbox)
    outbox.post(Note("an epoch's end"), at_once=False)
    taken = []
    reader = threading.Thread(target=lambda: taken.append(take(outbox)))
    reader.start()
    outbox.offer(Flow(False, False))
    reader.join()
    assert taken == [[Note("an epoch's end"), Flow(False, False)]]


def test_an_urgent_message_hurries_only_those_that_are_sent_with_it():
    outbox = Outbox()
    outbox.post(Note("urgent"))
    began = time.monotonic()
    take(outbox)
    outbox.pace = 0.2
    outbox.post(Note("an epoch's end"), at_once=False)
    take(outbox)
    assert time.monotonic() - began >= outbox.pace


def test_a_message_that_may_wait_is_sent_alone_after_the_pace():
    outbox = Outbox()
    outbox.pace = 0.05
    began = time.monotonic()
    for steps in range(3):
        outbox.offer(LessonEnded(steps, 0), at_once=False)
        assert take(outbox) == [LessonEnded(steps, 0)]
    assert time.monotonic() - began >= 2 * outbox.pace


def test_closing_lets_a_waiting_reader_go():
    outbox = Outbox()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(take(outbox)))
    reader.start()
    outbox.close()
    reader.join()
    assert taken == [[]]


def test_a_message_is_stamped_with_the_time_and_sender_at_which_it_came_in():
    began = time.monotonic() - 100
    outbox = Outbox(began=began)
    outbox.post(Note("before there is a device"))
    middle = time.monotonic() - began
    outbox.stamp.choose_device("cuda:1")
    outbox.offer(LessonEnded(1, 0))
    after = time.monotonic() - began
    first, second = outbox.take()
    assert 100 <= first.seconds <= middle <= second.seconds <= after
    assert first.sender == Sender(socket.gethostname(), os.getpid(), None, None)
    assert second.sender == Sender(socket.gethostname(), os.getpid(), None, "cuda:1")


def test_an_offer_that_replaces_another_has_its_own_time():
    outbox = Outbox()
    outbox.offer(LessonEnded(1, 0))
    outbox.post(Note("in between"))
    outbox.offer(LessonEnded(2, 0))
    note, ended = outbox.take()
    assert ended.seconds >= note.seconds


def test_without_a_begin_the_time_counts_from_the_outbox():
    outbox = Outbox()
    outbox.post(Note("at once"))
    assert 0 <= outbox.take()[0].seconds < 10
