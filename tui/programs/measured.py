"""The report of a watched step, as the message that the screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vramtop.protocol.messages import DeviceMemory, Difference, Measured
from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import StepReport
from vramtop.protocol.observed.report import TensorFacts as Block
from vramtop.protocol.split import (
    AllocatorMemory,
    Anatomy,
    Category,
    Moment,
    Peak,
    Reading,
    TensorFacts,
    Tensors,
)

from .origin import kinds_of, origin


def measured(
    step: WatchedStep, report: StepReport, differences: tuple[Difference, ...]
) -> Measured:
    """The message that shows this report."""
    kinds = kinds_of(step.modules)
    return Measured(
        step=report.steps,
        settled=True,
        anatomy=_anatomy(report, kinds),
        allocator=_allocator(step, report),
        tensors={
            category: _tensors(report, category, blocks, kinds)
            for category, blocks in report.tensors.items()
        },
        differences=differences,
        device_memory=_device_memory(step),
    )


def _device_memory(step: WatchedStep) -> DeviceMemory | None:
    """What CUDA said of the whole device right after the step."""
    if step.cuda_total is None or step.cuda_free is None:
        return None
    return DeviceMemory(step.cuda_total, step.cuda_free)


def _anatomy(report: StepReport, kinds: Mapping[str, str]) -> Anatomy:
    numbers = {"": 0}
    curve = []
    for moment in report.curve:
        made = origin(moment.module, moment.line, kinds)
        number = numbers.setdefault(made, len(numbers))
        curve.append(Moment(moment.phase, moment.split, number))
    peak = report.peak
    return Anatomy(
        boundaries=dict(report.boundaries.items()),
        high_water=report.high_water,
        peak=Peak(peak.bytes, peak.phase, origin(peak.module, peak.line, kinds), peak.split),
        curve=tuple(curve),
        operators=tuple(numbers),
    )


def _allocator(step: WatchedStep, report: StepReport) -> AllocatorMemory | None:
    """What the allocator had at the step's end; None where it does not tell."""
    memory, end = report.allocator, step.marks[-1]
    if memory is None or end.allocated is None or end.reserved is None:
        return None
    phase = report.phases[-1] if report.phases else "load"
    return AllocatorMemory(
        boundaries={phase: Reading(end.requested, end.allocated, memory.workspace)},
        reserved=end.reserved,
        requested_peak=memory.requested_peak,
        workspace=memory.workspace,
    )


def _tensors(
    report: StepReport,
    category: Category,
    blocks: Iterable[Block],
    kinds: Mapping[str, str],
) -> Tensors:
    listed = tuple(
        TensorFacts(
            bytes=block.bytes,
            name=block.name,
            shape=block.shape,
            dtype=block.dtype,
            born=block.born,
            gone=block.gone,
            origin=origin(block.module, block.line, kinds),
        )
        for block in blocks
    )
    rest = report.high_water.of(category) - sum(facts.bytes for facts in listed)
    return Tensors(listed, report.blocks[category] - len(listed), rest)
