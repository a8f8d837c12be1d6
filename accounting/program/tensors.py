"""The facts of the largest blocks of each category at its high water."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import TensorFacts
from vramtop.protocol.split import Category

from .lives import Life
from .naming import Part, parts_of
from .origins import line_of, module_of
from .ownership import Sightings
from .phases import Timeline

LISTED = 8


def tensors_of(
    step: WatchedStep,
    timeline: Timeline,
    highest: Mapping[Category, Sequence[Life]],
    sightings: Sightings,
    known: Mapping[Life, str],
) -> dict[Category, tuple[TensorFacts, ...]]:
    """The facts of these lives, which come with the largest first.

    `known` has what is known of those that are nobody's.
    """
    return {
        category: tuple(
            _facts(step, timeline, life, parts_of(step, life, category, sightings), known)
            for life in lives[:LISTED]
        )
        for category, lives in highest.items()
    }


def _facts(
    step: WatchedStep,
    timeline: Timeline,
    life: Life,
    parts: Sequence[Part],
    known: Mapping[Life, str],
) -> TensorFacts:
    alone = parts[0].name if len(parts) == 1 else None
    name = parts[0].label if parts else known.get(life, "")
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
