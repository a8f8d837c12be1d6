"""What the shapes of real programs take, what an evaluation leaves, and which batch really fits."""

from __future__ import annotations

from itertools import takewhile

import pytest
from shapes import EXACTLY, FEATURES, FEW, LIMIT, LONG, MORE, SENTENCES, SHORT, WORDS
from sizes import FLOAT
from sizes import LONG as NUMBER
from vramtop.accounting.program.report import report
from vramtop.accounting.program.room import RoomEstimate
from vramtop.accounting.program.shapes import Seen, seen
from vramtop.protocol.observed.record import FromObserver, Input, Progress, WatchedStep
from vramtop.protocol.observed.shapes import LeftBehind


def folded(*messages: FromObserver) -> Seen:
    """All watched steps, each with the number of steps by then."""
    found, steps = Seen(), None
    for message in messages:
        if isinstance(message, Progress):
            steps = message.steps
        if isinstance(message, WatchedStep):
            found = seen(found, report(message, 0), message.seconds, steps)
    return found


def trains(message: FromObserver) -> bool:
    return not isinstance(message, WatchedStep) or message.kind == "training"


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_lengths_and_evaluation_are_apart_and_what_evaluation_leaves_is_known(
    observe, device: str
) -> None:
    observed = observe("shapes.evaluation_leaves", device)
    trained = folded(*takewhile(trains, observed.messages)).shapes
    assert [(row.kind, row.inputs[0].shape) for row in trained.seen] == [
        ("training", (SENTENCES, LONG)),
        ("training", (SENTENCES, SHORT)),
    ]
    # A word is a number, its features, and three times a value for each word that there is: the
    # logits, the logarithms of the probabilities, and the logits' gradient.
    word = NUMBER + FLOAT * (FEATURES + 3 * WORDS)
    long, short = trained.seen
    assert long.peak - short.peak == SENTENCES * (LONG - SHORT) * word
    assert trained.peaks[-1].inputs == (Input("int64", (SENTENCES, LONG)),)
    assert trained.left_behind is None

    shapes = folded(*observed.messages).shapes
    assert {(row.kind, row.inputs[0].shape) for row in shapes.seen} == {
        ("training", (SENTENCES, LONG)),
        ("training", (SENTENCES, SHORT)),
        ("inference", (2, LONG)),
    }
    (evaluation,) = [row for row in shapes.seen if row.kind == "inference"]
    assert evaluation.first_step is not None
    assert evaluation.first_step >= max(long.first_step or 0, short.first_step or 0) > 0
    left = observed.said["left"]
    known = LeftBehind(measured=1, bytes=left, latest=left)
    assert shapes.left_behind == (None if device == "cpu" else known)


def test_the_room_that_is_estimated_is_what_really_fits(observe) -> None:
    observed = observe("shapes.rows_vary", "cuda:0")
    estimate, estimates = RoomEstimate(), []
    for step in observed.steps:
        estimate.add(step, report(step, 0).peak.bytes, LIMIT)
        assert estimate.room is not None
        estimates.append(estimate.room)
    first, last = estimates[0], estimates[-1]
    assert (first.rows, first.by, first.proved_rows) == (FEW, "proportion", None)
    assert (last.rows, last.by, last.fewer_rows) == (MORE, "slope", FEW)
    assert last.proved_rows == MORE
    assert first.bytes_per_row >= last.bytes_per_row
    fits = observed.said["fits"]
    for each in (first, last):
        assert 0.98 * fits <= each.most_rows <= fits + fits // EXACTLY
