"""Whether a watched step's record can be read at all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from vramtop.protocol.observed.record import WatchedStep


class NoReport(Exception):
    """Nothing can be said of a watched step; the message says why, in one line."""


def check(step: WatchedStep) -> None:
    """Raise `NoReport` where the record is empty or its parts do not fit together."""
    events = step.events
    count = len(events.sizes)
    if not len(events.addresses) == len(events.lines) == len(events.modules) == count:
        raise NoReport("the lists of events differ in length")
    if step.block_lines and len(step.block_lines) != len(step.blocks):
        raise NoReport("there are more or fewer lines than blocks")
    _check_marks(step, count)
    _check_numbers("line", events.lines, -1, len(step.lines))
    _check_numbers("line", step.block_lines, -1, len(step.lines))
    _check_numbers("module", events.modules, -1, len(step.modules))
    _check_numbers("name", [sighting.name for sighting in step.sightings], 0, len(step.names))


def _check_marks(step: WatchedStep, count: int) -> None:
    places = [mark.place for mark in step.marks]
    if any(before > after for before, after in pairwise([0, *places, count])):
        raise NoReport("the marks are not in order")
    periods = [mark.place for mark in step.marks if mark.kind == "period"]
    if len(periods) != 3:
        raise NoReport(f"a watched step has three marks of a period, and this one {len(periods)}")
    if periods[1] != step.cut:
        raise NoReport(f"the second period begins at {periods[1]}, and the cut is at {step.cut}")


def _check_numbers(what: str, numbers: Sequence[int], least: int, count: int) -> None:
    if numbers and not least <= min(numbers) <= max(numbers) < count:
        raise NoReport(f"there is a number of a {what} that the record does not have")
