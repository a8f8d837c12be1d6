"""The vocabulary of memory: categories, phases, splits and the anatomy of a step.

All sizes are bytes as asked for, before any rounding by an allocator. No torch.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Category = Literal[
    "parameters",
    "gradients",
    "optimizer_state",
    "batch_data",
    "activations",
    "temporaries",
    "other",
]
# Those of any program, and those of the lesson, which knows whose everything is.
ALL_CATEGORIES: tuple[Category, ...] = get_args(Category)
CATEGORIES = ALL_CATEGORIES[:-1]

Phase = Literal["load", "forward", "backward", "optimizer", "zero_grad"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class Split(msgspec.Struct, frozen=True):
    """Bytes by category at one moment; their sum is what the step holds."""

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    batch_data: int = 0
    activations: int = 0
    temporaries: int = 0

    @property
    def total(self) -> int:
        """The sum over all categories, in bytes."""
        return sum(msgspec.structs.astuple(self))

    def of(self, category: Category) -> int:
        """The bytes of a category; 0 where the split does not have it."""
        return getattr(self, category, 0)


class Peak(msgspec.Struct, frozen=True):
    """The moment of a step that holds the most bytes.

    `operator` is the one whose allocation reached the peak, as PyTorch's dispatcher names it. It is
    empty where the step held the most when it began.
    """

    bytes: int
    phase: Phase
    operator: str
    split: Split


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """The split right after one allocation or release inside a step.

    `operator` is the index, in the anatomy's `operators`, of the one that allocated.
    """

    phase: Phase
    split: Split
    operator: int = 0


class Anatomy(msgspec.Struct, frozen=True):
    """One recorded step.

    `boundaries` has the split at the end of each phase; at its last end, where a phase came several
    times, as in gradient accumulation. `high_water` has each category's own largest value within
    the step. `curve` has the split after every allocation and release, in order. `operators` are
    those that the curve's moments refer to, as PyTorch's dispatcher names them. The first is an
    empty string, for the step's start and for releases. `loss` is the index in the curve of the
    loss's first moment, which belongs to forward; None where it is not known.
    """

    boundaries: dict[Phase, Split]
    high_water: Split
    peak: Peak
    curve: tuple[Moment, ...]
    operators: tuple[str, ...] = ("",)
    loss: int | None = None


class TensorFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tensor with a storage of `bytes` bytes.

    `name` is its owner's name for it, as in "1.weight", "1.weight.grad", "exp_avg of 1.weight" or
    "inputs"; empty where it has no owner. `operator` made it, as PyTorch's dispatcher names it;
    empty where it is older than the step. `shape` and `dtype` are None for a buffer inside an
    operator, which no tensor shows. `born` is the phase in which it was made, None if it is older
    than the step. `gone` is the phase in which it was released, None if it outlived the step. With
    `view` the tensor has another size than its storage. `origin` is where it was made, as
    "encoder.0, train.py:88", where no operator is known.
    """

    bytes: int
    name: str = ""
    operator: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    born: Phase | None = None
    gone: Phase | None = None
    view: bool = False
    origin: str = ""


class Tensors(msgspec.Struct, frozen=True):
    """The tensors of a category when it is at its high-water mark: the `largest`, in order.

    `others` more tensors are not listed; they have `others_bytes` bytes in all.
    """

    largest: tuple[TensorFacts, ...] = ()
    others: int = 0
    others_bytes: int = 0


class Reading(msgspec.Struct, frozen=True):
    """Live bytes of an allocator: as `requested`, and as `allocated` after rounding.

    `requested` is None where the allocator does not report it. It consists of the step's bytes,
    `workspace` bytes that operators keep for good (None where not known), and `other` bytes. Those
    are older than the step and have no owner, such as tensors of an earlier step that are still
    held.
    """

    requested: int | None
    allocated: int
    workspace: int | None = None
    other: int = 0


class AllocatorMemory(msgspec.Struct, frozen=True):
    """The caching allocator's figures for a recorded step, in bytes.

    `boundaries` has the live bytes at the end of each phase. `reserved` is what the allocator has
    from the driver at the step's end; `inactive` bytes of it are free but lie between live blocks,
    so they cannot be given back. Both peaks are within the step. `workspace` is what operators keep
    for good although no tensor holds it: cuBLAS's buffers, each of `workspace_each` bytes where all
    are alike.

    At each boundary, requested = split + workspace + other, and allocated = requested + rounding.
    Since the worker began, `retries` allocations succeeded only after the cache was given back,
    and `shortages` allocations failed. A field is None where the allocator does not report it.
    """

    boundaries: dict[Phase, Reading]
    reserved: int
    inactive: int | None = None
    allocated_peak: int | None = None
    requested_peak: int | None = None
    workspace: int | None = None
    retries: int | None = None
    shortages: int | None = None
    workspace_each: int | None = None

    @property
    def end(self) -> Reading:
        """The live bytes at the step's end."""
        return [*self.boundaries.values()][-1]

    @property
    def cache(self) -> int:
        """Bytes that the allocator has from the driver and that are not in use."""
        return self.reserved - self.end.allocated

    @property
    def rounding(self) -> int | None:
        """Bytes allocated beyond those requested; None where they are not reported."""
        end = self.end
        return None if end.requested is None else end.allocated - end.requested
