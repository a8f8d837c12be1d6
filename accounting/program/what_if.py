"""What the watched step would have held with one change to the program. Nothing of it is measured.

A change takes bytes away from the step's curve, or adds some, from one place to another. The peak
of what remains is the new one. It is exact, or the step would hold that much at most: what is not
known of the changed program counts as in the recorded one, or as the worst that can be.
"""

from __future__ import annotations

from collections.abc import Iterator

from vramtop.protocol.observed.report import WhatIf

from .bucket_views import in_buckets
from .changed import Idea, Recorded
from .checkpointing import checkpointed
from .early_release import gradients_released
from .half_precision import in_bfloat16
from .other_optimizers import loop_of_optimizer, optimizers_with_less_state


def what_if(recorded: Recorded) -> tuple[WhatIf, ...]:
    """All changes that lower the peak of a training, the most bytes first."""
    if recorded.step.kind != "training":
        return ()
    peak = max(recorded.curve)
    rows = []
    for idea in _ideas(recorded):
        lower = max(recorded.with_(idea.changes))
        if lower < peak:
            saved = peak - lower
            rows.append(WhatIf(idea.what, lower, saved, idea.bound, idea.code))
    return tuple(sorted(rows, key=lambda row: -row.saved))


def _ideas(recorded: Recorded) -> Iterator[Idea]:
    yield from gradients_released(recorded)
    yield from optimizers_with_less_state(recorded)
    yield from checkpointed(recorded)
    yield from loop_of_optimizer(recorded)
    yield from in_bfloat16(recorded)
    yield from in_buckets(recorded)
