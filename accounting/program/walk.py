"""A walk through the second period: the split after each event, the peak and the boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vramtop.protocol.observed.record import Mark, WatchedStep
from vramtop.protocol.observed.report import Moment, Peak, Phase, Split
from vramtop.protocol.split import ALL_CATEGORIES, Category

from .blocks import Block, Blocks
from .origins import line_of, module_of
from .ownership import Belonging
from .phases import Timeline

_COLUMNS: dict[Belonging, int] = {
    category: column for column, category in enumerate(ALL_CATEGORIES)
}


class Walk(NamedTuple):
    """What a walk found.

    `highest_at` has the first place at which each category is at its high water. `workspace` is
    what there is of it at the end, `requested_peak` the most of all bytes together. `unattributed`
    is None where no mark has a reading.
    """

    curve: tuple[Moment, ...]
    peak: Peak
    high_water: Split
    highest_at: dict[Category, int]
    boundaries: dict[Phase, Split]
    workspace: int
    requested_peak: int
    unattributed: int | None

    @property
    def totals(self) -> list[int]:
        """The bytes at each place from the second period's begin on."""
        return [moment.split.total for moment in self.curve]


def walk(
    step: WatchedStep,
    blocks: Blocks,
    timeline: Timeline,
    belongings: Mapping[Block, Belonging],
) -> Walk:
    """Walk through the second period of a step."""
    columns, workspace = _alive_at(step.cut, blocks, belongings)
    watched = timeline.watched
    split, total = Split(*columns), sum(columns)
    curve = [Moment(watched[0].phase, split)]
    peak = Peak(total, watched[0].phase, "", "", split)
    requested_peak = total + workspace
    high, highest_at = list(columns), [step.cut] * len(columns)
    boundaries: dict[Phase, Split] = {}
    unattributed = _unattributed(watched[0].since, total + workspace)
    for stretch in watched:
        phase = stretch.phase
        for number in range(stretch.begin, stretch.end):
            size, belonging = step.events.sizes[number], belongings[blocks.of_event[number]]
            if belonging == "workspace":
                workspace += size
                requested_peak = max(requested_peak, total + workspace)
                curve.append(Moment(phase, split))
                continue
            column = _COLUMNS[belonging]
            columns[column] += size
            total += size
            split = Split(*columns)
            line = line_of(step, step.events.lines[number])
            module = module_of(step, step.events.modules[number])
            curve.append(Moment(phase, split, line, module))
            if columns[column] > high[column]:
                high[column], highest_at[column] = columns[column], number + 1
            requested_peak = max(requested_peak, total + workspace)
            if total > peak.bytes:
                peak = Peak(total, phase, module, line, split)
        unattributed += _unattributed(stretch.until, total + workspace)
        # A load that leads to no call belongs to the next step.
        if phase != "load" or stretch.before_call:
            boundaries.pop(phase, None)  # so that the order is that of the last parts
            boundaries[phase] = split
    return Walk(
        curve=tuple(curve),
        peak=peak,
        high_water=Split(*high),
        highest_at=dict(zip(ALL_CATEGORIES, highest_at, strict=True)),
        boundaries=boundaries,
        workspace=workspace,
        requested_peak=requested_peak,
        unattributed=max(unattributed, key=abs, default=None),
    )


def _alive_at(
    place: int, blocks: Blocks, belongings: Mapping[Block, Belonging]
) -> tuple[list[int], int]:
    """The bytes of each category at a place, and those of workspaces."""
    columns, workspace = [0] * len(ALL_CATEGORIES), 0
    for block in blocks:
        if not block.alive_at(place):
            continue
        belonging = belongings[block]
        if belonging == "workspace":
            workspace += block.size
        else:
            columns[_COLUMNS[belonging]] += block.size
    return columns, workspace


def _unattributed(mark: Mark, accounted: int) -> list[int]:
    """What the allocator has at a mark beyond this, if it was read there."""
    return [] if mark.requested is None else [mark.requested - accounted]
