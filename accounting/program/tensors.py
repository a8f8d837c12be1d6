"""The facts of the largest blocks of each category at its high water."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import TensorFacts
from vramtop.protocol.split import Category

from .lives import Life
from .naming import parts_of
from .origins import line_of, module_of
from .ownership import Sightings
from .phases import Timeline

LISTED = 8


def tensors_of(
    step: WatchedStep,
    timeline: Timeline,
    highest: Mapping[Category, Sequence[Life]],
    sightings: Sightings,
) -> dict[Category, tuple[TensorFacts, ...]]:
    """The facts of these lives, which come with the largest first."""
    return {
        category: tuple(
            _facts(step, timeline, life, category, sightings) for life in lives[:LISTED]
        )
        for category, lives in highest.items()
    }


def _facts(
    step: WatchedStep,
    timeline: Timeline,
    life: Life,
    category: Category,
    sightings: Sightings,
) -> TensorFacts:
    parts = parts_of(step, life, category, sightings)
    alone = parts[0].name if len(parts) == 1 else None
    name = parts[0].label if parts else ""
    return TensorFacts(
        bytes=life.size,
        name=name if len(parts) < 2 else f"{name} and {len(parts) - 1} more",
        line=line_of(step, life.line),
        module=module_of(step, life.module),
        shape=alone.shape if alone else None,
        dtype=alone.dtype if alone else None,
        born=None if life.birth is None else timeline.at(life.birth).phase,
        gone=None if life.release is None else timeline.at(life.release).phase,
    )
