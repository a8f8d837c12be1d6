"""The facts of the largest blocks of each category at its high water."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import TensorFacts
from vramtop.protocol.split import Category

from .blocks import Block
from .naming import Part, parts_of
from .origins import line_of, module_of
from .ownership import Sightings
from .phases import Timeline

LISTED = 8


def tensors_of(
    step: WatchedStep,
    timeline: Timeline,
    highest: Mapping[Category, Sequence[Block]],
    sightings: Sightings,
    known: Mapping[Block, str],
) -> dict[Category, tuple[TensorFacts, ...]]:
    """The facts of these blocks, which come with the largest first.

    `known` says what those in *other* are, where that is known.
    """
    return {
        category: tuple(
            _facts(step, timeline, block, parts_of(step, block, category, sightings), known)
            for block in blocks[:LISTED]
        )
        for category, blocks in highest.items()
    }


def _facts(
    step: WatchedStep,
    timeline: Timeline,
    block: Block,
    parts: Sequence[Part],
    known: Mapping[Block, str],
) -> TensorFacts:
    alone = parts[0].name if len(parts) == 1 else None
    name = parts[0].label if parts else known.get(block, "")
    return TensorFacts(
        bytes=block.size,
        name=name if len(parts) < 2 else f"{name} and {len(parts) - 1} more",
        line=line_of(step, block.line),
        module=module_of(step, block.module),
        shape=alone.shape if alone else None,
        dtype=alone.dtype if alone else None,
        born=None if block.birth is None else timeline.at(block.birth).phase,
        gone=None if block.release is None else timeline.at(block.release).phase,
    )
