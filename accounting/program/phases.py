"""What a program was doing between two marks.

Inside a backward it is `backward`; a call there is recomputation. Inside a call it is `forward`.

What lies between is a gap, at the top or inside an optimizer's step. Its phase follows from what
comes before and after it at the same level and in the same period:

- between two backwards, where nothing is allocated: `backward`;
- else directly before a backward: `forward`; this is where the loss is computed;
- after a call, and more calls lead to a backward: `forward`, as between the networks of a GAN;
- at the top, between a backward and an optimizer: `backward`; gradients are clipped or unscaled;
- else: `optimizer` inside an optimizer's step, `load` at the top. Accumulation loads between a
  backward and the next call, inference after its call.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from vramtop.protocol.observed.record import Mark, MarkKind, WatchedStep
from vramtop.protocol.observed.report import Phase

Opening = Literal["call", "backward", "optimizer"]

_OPENS: dict[MarkKind, Opening] = {
    "call": "call",
    "backward": "backward",
    "optimizer": "optimizer",
}
_OPENED_BY: dict[MarkKind, Opening] = {
    "call_end": "call",
    "backward_end": "backward",
    "optimizer_end": "optimizer",
}
_CLOSED_BY: dict[Opening, MarkKind] = {opening: end for end, opening in _OPENED_BY.items()}


class Stretch(NamedTuple):
    """The events from place `begin` to `end`, between the marks `since` and `until`.

    `called` says that it lies inside a call, `before_call` that a call follows in its period.
    `watched` says that it belongs to the second period.
    """

    begin: int
    end: int
    phase: Phase
    called: bool
    before_call: bool
    watched: bool
    since: Mark
    until: Mark


class Timeline:
    """The stretches of both periods, in order."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._begins = [stretch.begin for stretch in stretches]
        self.watched = [stretch for stretch in stretches if stretch.watched]

    def at(self, event: int) -> Stretch:
        """The stretch in which an event lies."""
        return self._stretches[max(bisect_right(self._begins, event) - 1, 0)]


class _Ahead(NamedTuple):
    """What follows at a level: the next thing, and the next that is no call. None is its end."""

    next: Opening | None = None
    beyond_calls: Opening | None = None


def timeline_of(step: WatchedStep) -> Timeline:
    """What a program was doing between the marks."""
    marks = _balanced(step.marks)
    ahead = _look_ahead(marks)
    before_call = _calls_follow(marks)
    stretches = []
    open_: list[Opening] = []
    periods = 0
    for number, (mark, until) in enumerate(pairwise(marks)):
        before: Opening | None = None
        if mark.kind == "period":
            periods += 1
        elif mark.kind in _OPENED_BY:
            before = open_.pop()
        else:
            open_.append(_OPENS[mark.kind])
        allocates = max(step.events.sizes[mark.place : until.place], default=0) > 0
        phase = _phase(open_, before, ahead[number], allocates=allocates)
        called = phase == "forward" and open_[-1:] == ["call"]
        stretches.append(
            Stretch(
                begin=mark.place,
                end=until.place,
                phase=phase,
                called=called,
                before_call=before_call[number],
                watched=periods > 1,
                since=mark,
                until=until,
            )
        )
    return Timeline(stretches)


def _phase(
    open_: Sequence[Opening], before: Opening | None, ahead: _Ahead, *, allocates: bool
) -> Phase:
    if "backward" in open_ or (before == ahead.next == "backward" and not allocates):
        return "backward"
    if open_ and open_[-1] == "call":
        return "forward"
    if ahead.next == "backward" or (before == "call" and ahead.beyond_calls == "backward"):
        return "forward"
    if open_:
        return "optimizer"
    if before == "backward" and ahead.next == "optimizer":
        return "backward"
    return "load"


def _balanced(marks: Sequence[Mark]) -> list[Mark]:
    """The marks from the first period's to the last's, with an end for each beginning.

    What was under way when the window began began there, and what did not end ends with the window.
    """
    periods = [number for number, mark in enumerate(marks) if mark.kind == "period"]
    begin, end = marks[periods[0]], marks[periods[-1]]
    under_way: list[Mark] = []
    inner: list[Mark] = []
    open_: list[Opening] = []
    for mark in marks[periods[0] + 1 : periods[-1]]:
        opened_by = _OPENED_BY.get(mark.kind)
        if mark.kind in _OPENS:
            open_.append(_OPENS[mark.kind])
        elif opened_by is None:
            pass  # a period may end within anything
        elif opened_by not in open_:
            inner += _closed(open_, mark)
            under_way.insert(0, Mark(begin.place, opened_by))
        else:
            while open_[-1] != opened_by:  # an exception has ended it
                inner.append(Mark(mark.place, _CLOSED_BY[open_.pop()]))
            open_.pop()
        inner.append(mark)
    return [begin, *under_way, *inner, *_closed(open_, end), end]


def _closed(open_: list[Opening], at: Mark) -> list[Mark]:
    """Close all that is open at a mark's place."""
    closed = [Mark(at.place, _CLOSED_BY[opening]) for opening in reversed(open_)]
    open_.clear()
    return closed


def _look_ahead(marks: Sequence[Mark]) -> list[_Ahead]:
    """For each mark, what follows it at its level."""
    ahead = [_Ahead()] * len(marks)
    levels = [_Ahead()]
    for number in range(len(marks) - 1, 0, -1):
        mark = marks[number]
        if mark.kind == "period":
            levels[-1] = _Ahead()
        elif mark.kind in _OPENED_BY:
            levels.append(_Ahead())
        else:
            levels.pop()
            opening = _OPENS[mark.kind]
            beyond = levels[-1].beyond_calls if opening == "call" else opening
            levels[-1] = _Ahead(opening, beyond)
        ahead[number - 1] = levels[-1]
    return ahead


def _calls_follow(marks: Sequence[Mark]) -> list[bool]:
    """For each mark, whether a call begins after it in its period."""
    follows = [False] * len(marks)
    for number in range(len(marks) - 1, 0, -1):
        kind = marks[number].kind
        follows[number - 1] = kind == "call" or (kind != "period" and follows[number])
    return follows
