"""The phase of each stretch between the marks that programs make."""

from __future__ import annotations

from itertools import groupby

import msgspec
import pytest
from vramtop.accounting.program.phases import timeline_of
from vramtop.protocol.observed.record import Events, Kind, Mark, MarkKind, WatchedStep

KINDS: dict[str, MarkKind] = {
    "P": "period",
    "C": "call",
    "c": "call_end",
    "B": "backward",
    "b": "backward_end",
    "O": "optimizer",
    "o": "optimizer_end",
}
LETTERS = {"load": "l", "forward": "f", "backward": "b", "optimizer": "o"}


def record(marks: str, kind: Kind = "training") -> WatchedStep:
    """A record of these marks, with an event after each but the last."""
    placed = tuple(Mark(place, KINDS[letter]) for place, letter in enumerate(marks))
    count = len(marks) - 1
    unknown = (-1,) * count
    return WatchedStep(
        number=1,
        device="cuda:0",
        kind=kind,
        source="trace",
        cut=[mark.place for mark in placed if mark.kind == "period"][1],
        seconds=0.1,
        inputs=(),
        marks=placed,
        events=Events(
            addresses=tuple(range(count)), sizes=(1,) * count, lines=unknown, modules=unknown
        ),
        blocks=tuple((address, 1) for address in range(count)),
        sightings=(),
        names=(),
        lines=(),
        modules=(),
    )


def phases(marks: str, kind: Kind = "training") -> str:
    """The phase after each mark of the second period, a letter each; the first is the same."""
    step = record(f"P{marks}P{marks}P", kind)
    timeline = timeline_of(step)
    letters = "".join(
        LETTERS[timeline.at(number).phase] for number in range(len(step.events.sizes))
    )
    half = len(letters) // 2
    assert letters[:half] == letters[half:]
    return letters[half:]


# Above each stretch is the mark that begins it; P is the period's begin.
@pytest.mark.parametrize(
    ("program", "marks", "expected"),
    [
        ("a plain loop", "PCcBbOo", "lffbbol"),
        ("accumulation", "PCcBbCcBbOo", "lffblffbbol"),
        ("no module, but a loss by hand", "PBbOo", "fbbol"),
        ("two losses", "PCcBbBbOo", "lffbfbbol"),
        ("a penalty on a gradient", "PCcCcBbBbOo", "lffffbfbbol"),
        ("a gradient within a call", "PCBbcBbOo", "lfbffbbol"),
        ("a GAN", "PCcBbCCccBbOoCcBbOo", "lffblffffbbolffbbol"),
        ("networks in a row", "PCcCcCcBbOo", "lffffffbbol"),
        ("optimizers in a row", "PCcBbOoOo", "lffbbolol"),
        ("Lightning", "POCcBbo", "loffbol"),
        ("LBFGS", "POCcBbCcBbo", "loffboffbol"),
        ("LBFGS without a module", "POBbBbo", "lfbfbol"),
        ("checkpointing", "PCcBCcbOo", "lffbbbbol"),
        ("an optimizer inside backward", "PCcBOob", "lffbbbl"),
        ("an update by hand after backward", "PCcBb", "lffbl"),
        ("an evaluation after the update", "PCcBbOoCcCc", "lffbbolflfl"),
        ("a step that GradScaler skips", "PCcBbCcBbOo", "lffblffbbol"),
    ],
)
def test_a_training_has_these_phases(program: str, marks: str, expected: str) -> None:
    assert phases(marks[1:]) == expected, program


def test_inference_loads_before_and_after_its_call() -> None:
    assert phases("Cc", "inference") == "lfl"
    assert phases("CcCc", "inference") == "lflfl"


def test_a_period_may_end_inside_an_optimizers_step() -> None:
    timeline = timeline_of(record("PoCcBbOPoCcBbOPo"))
    letters = [LETTERS[timeline.at(number).phase] for number in range(14)]
    assert "".join(letters) == "olffbbo" * 2


def test_what_an_exception_left_open_ends_with_what_it_was_in() -> None:
    timeline = timeline_of(record("POCoCcPCcP"))
    letters = [LETTERS[timeline.at(number).phase] for number in range(9)]
    assert "".join(letters) == "loflfllfl"


def test_the_end_of_what_was_under_way_before_the_window_ends_what_is_open() -> None:
    timeline = timeline_of(record("PCoCcPCcP"))
    letters = [LETTERS[timeline.at(number).phase] for number in range(8)]
    assert "".join(letters) == "oflfllfl"


def test_empty_stretches_have_no_events() -> None:
    step = record("PCcP" + "CcP")
    together = tuple(
        mark if mark.kind != "call" else Mark(mark.place - 1, "call") for mark in step.marks
    )
    timeline = timeline_of(msgspec.structs.replace(step, marks=together))
    letters = [timeline.at(number).phase for number in range(6)]
    assert [phase for phase, _ in groupby(letters)] == ["forward", "load", "forward", "load"]
    assert [(each.begin, each.end, each.phase) for each in timeline.watched] == [
        (3, 3, "load"), (3, 5, "forward"), (5, 6, "load"),
    ]  # fmt: skip


def test_between_two_backwards_where_nothing_is_allocated_is_backward() -> None:
    marks = "CcBbBbOo"
    step = record(f"P{marks}P{marks}P")
    between = marks.index("b") + 1
    assert timeline_of(step).at(between).phase == "forward"
    released = list(step.events.sizes)
    released[between] = -1
    events = msgspec.structs.replace(step.events, sizes=tuple(released))
    assert timeline_of(msgspec.structs.replace(step, events=events)).at(between).phase == "backward"
