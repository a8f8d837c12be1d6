"""A session's snapshots on a shelf, and a session that goes on from one of them."""

from __future__ import annotations

import pytest
from driven import running, whole
from vramtop.protocol.lesson.commands import Change, GoOn, HandOver
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import Answer, Note
from vramtop.trainer.session import snapshots
from vramtop.trainer.session.snapshots import CannotKeep, Keeper

SETTINGS = Settings(device="cpu", batch_size=600)


@pytest.fixture
def shelf():
    shelf = Shelf.make()
    yield shelf
    shelf.close()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_a_training_that_was_handed_over_goes_on_to_the_bit(library, shelf, optimizer):
    settings = Settings(device="cpu", batch_size=600, optimizer=optimizer, learning_rate=0.003)
    expected = whole(library, settings, 24).losses  # through the ends of two epochs
    with running(library, settings, every_step=True, shelf=shelf) as first:
        first.at_step(5)
        first.send(HandOver(1))
        assert first.until(Answer).error is None
    kept = shelf.latest()
    assert kept is not None
    assert (kept.settings, kept.images) == (settings, 600 * kept.steps)
    with running(library, kept.settings, steps=24, every_step=True, shelf=shelf, resume=True) as on:
        on.ended()
    assert [sample.step for sample in on.all(LessonSample)] == list(range(kept.steps + 1, 25))
    assert on.losses == expected[kept.steps :]


def test_a_training_that_hands_over_rests_until_it_is_to_go_on(library, shelf):
    expected = whole(library, SETTINGS, 12).losses
    with running(library, SETTINGS, steps=12, every_step=True, shelf=shelf) as driver:
        driver.until(LessonSample)
        driver.send(HandOver(1))
        driver.until(Answer)
        before = len(driver.losses)
        driver.send(Change(2, learning_rate=1e-3))  # the default, so nothing changes
        driver.send(GoOn(3))
        # The change is answered after `GoOn`: until then it waited.
        assert [driver.until(Answer).command for _ in range(2)] == [3, 2]
        assert len(driver.losses) == before
        driver.ended()
    assert driver.losses == expected


def test_without_a_shelf_nothing_is_handed_over(library):
    with running(library, SETTINGS) as driver:
        driver.until(LessonSample)
        driver.send(HandOver(1))
        assert driver.until(Answer).error == "there is no place for a snapshot"
        driver.until(LessonSample)


def test_a_settled_training_is_kept_again_and_again(library, shelf, monkeypatch):
    monkeypatch.setattr(snapshots, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(snapshots, "SHARE", 1.0)
    with running(library, SETTINGS, steps=9, every_step=True, shelf=shelf) as driver:
        driver.ended()
    kept = shelf.latest()
    assert kept is not None
    assert (kept.settings, kept.steps) == (SETTINGS, 9)


def test_a_snapshot_takes_its_share_of_the_time_and_no_more(library, shelf, monkeypatch):
    monkeypatch.setattr(snapshots, "SHARE", 1e-9)
    with running(library, SETTINGS, steps=20, every_step=True, shelf=shelf) as driver:
        driver.ended()
    kept = shelf.latest()
    assert kept is not None
    assert kept.steps == 2  # the first that was settled, and none since


def test_a_snapshot_without_space_is_reported_once_and_the_training_goes_on(
    library, shelf, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Shelf, "put", full)
    with running(library, SETTINGS, steps=9, every_step=True, shelf=shelf) as driver:
        driver.ended()
    text = "no snapshot can be kept: [Errno 28] No space left on device"
    assert [note.text for note in driver.all(Note)] == [text]


def test_without_a_snapshot_nothing_goes_on(shelf):
    with pytest.raises(CannotKeep, match="no snapshot to go on from"):
        Keeper(shelf).latest()
