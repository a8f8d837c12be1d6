"""The report of a watched step: whose the bytes are, when and where they peak."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Allocator, StepReport

from .blocks import blocks_of
from .changed import Recorded
from .consistency import check
from .largest import at_high_water
from .layers import layers_of
from .lines import lines_of
from .other import known_of, left_behind, other_of
from .ownership import belongings_of, sightings_of
from .phases import timeline_of
from .tensors import tensors_of
from .walk import Walk, walk
from .what_if import what_if

NOBODY: Mapping[int, str] = MappingProxyType({})


def report(
    step: WatchedStep,
    steps: int,
    holders: Mapping[int, str] = NOBODY,
    *,
    predicting: bool = True,
) -> StepReport:
    """The report of a watched step; `steps` of its kind have passed.

    `holders` say who holds the memory at an address, where the program has answered. `predicting`
    what the step would have held with a change takes longer than all else.
    Raises `NoReport` where the record is empty or contradicts itself.
    """
    check(step)
    blocks = blocks_of(step)
    timeline = timeline_of(step)
    sightings = sightings_of(step, blocks)
    belongings = belongings_of(step, blocks, timeline, sightings)
    walked = walk(step, blocks, timeline, belongings)
    highest = at_high_water(blocks, belongings, walked)
    known = known_of(step, highest["other"], holders)
    return StepReport(
        kind=step.kind,
        inputs=step.inputs,
        steps=steps,
        boundaries=walked.boundaries,
        high_water=walked.high_water,
        peak=walked.peak,
        allocator=_allocator(step, walked),
        unattributed=walked.unattributed,
        phases=tuple(walked.boundaries),
        curve=walked.curve,
        layers=layers_of(step, highest, sightings),
        lines=lines_of(step, highest),
        other=other_of(step, highest["other"], known),
        tensors=tensors_of(step, timeline, highest, sightings, known),
        blocks={category: len(blocks) for category, blocks in highest.items()},
        left_behind=left_behind(step, belongings, sightings),
        unknown=tuple(
            (block.address, block.size)
            for block in sorted(highest["other"], key=lambda each: each.birth is None)
            if block not in known
        ),
        what_if=what_if(Recorded(step, blocks, timeline, belongings, sightings, walked.totals))
        if predicting
        else (),
    )


def _allocator(step: WatchedStep, walked: Walk) -> Allocator | None:
    """What the allocator had; None on a device whose allocator does not tell."""
    if walked.unattributed is None:
        return None
    marks = [mark for mark in step.marks if mark.place >= step.cut]
    allocated = [mark.allocated for mark in marks if mark.allocated is not None]
    reserved = [mark.reserved for mark in marks if mark.reserved is not None]
    return Allocator(
        requested_peak=walked.requested_peak,
        allocated_peak=max(allocated, default=None),
        reserved=max(reserved, default=None),
        workspace=walked.workspace,
    )
