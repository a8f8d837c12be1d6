import threading

from vramtop.trainer import outbox as outbox_module
from vramtop.trainer.outbox import Outbox
from vramtop.trainer.protocol import Ended, Flow, Note


def test_only_the_latest_offer_of_a_kind_is_sent():
    outbox = Outbox()
    for steps in range(5):
        outbox.offer(Ended(steps, 0))
    assert outbox.take() == [Ended(4, 0)]


def test_what_is_posted_is_never_dropped():
    outbox = Outbox()
    notes = [Note(str(number)) for number in range(100)]
    for note in notes:
        outbox.post(note)
    assert outbox.take() == notes


def test_an_offer_stays_behind_what_was_posted_before_it():
    outbox = Outbox()
    outbox.offer(Ended(1, 0))
    outbox.post(Note("a change"))
    outbox.offer(Ended(2, 0))
    outbox.offer(Flow(False, False))
    assert outbox.take() == [Note("a change"), Ended(2, 0), Flow(False, False)]


def test_a_patient_outbox_drops_no_offer_and_waits_for_its_reader():
    outbox = Outbox(patient=True)
    count = Outbox.PATIENT_BACKLOG + 100

    def offer_all():
        for steps in range(count):
            outbox.offer(Ended(steps, 0))
        outbox.close()

    writer = threading.Thread(target=offer_all)
    writer.start()
    received = []
    while messages := outbox.take():
        assert len(messages) <= Outbox.PATIENT_BACKLOG
        received += messages
    writer.join()
    assert received == [Ended(steps, 0) for steps in range(count)]


def test_what_need_not_come_at_once_waits_for_company(monkeypatch):
    monkeypatch.setattr(outbox_module, "COMPANY_SECONDS", 3600)
    outbox = Outbox()
    outbox.post(Note("an epoch's end"), at_once=False)
    taken = []
    reader = threading.Thread(target=lambda: taken.append(outbox.take()))
    reader.start()
    outbox.offer(Flow(False, False))
    reader.join()
    assert taken == [[Note("an epoch's end"), Flow(False, False)]]


def test_where_no_company_comes_it_goes_alone(monkeypatch):
    monkeypatch.setattr(outbox_module, "COMPANY_SECONDS", 0.001)
    outbox = Outbox()
    outbox.offer(Flow(False, False), at_once=False)
    assert outbox.take() == [Flow(False, False)]


def test_closing_lets_a_waiting_reader_go():
    outbox = Outbox()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(outbox.take()))
    reader.start()
    outbox.close()
    reader.join()
    assert taken == [[]]
