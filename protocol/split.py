"""The vocabulary of memory: categories, phases, splits and the anatomy of a step.

All sizes are bytes as asked for, before any rounding by an allocator. No torch in here: the
monitor reads these values too.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Category = Literal[
    "parameters", "gradients", "optimizer_state", "batch_data", "activations", "temporaries"
]
CATEGORIES: tuple[Category, ...] = get_args(Category)

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


class Peak(msgspec.Struct, frozen=True):
    """The moment of a step that holds the most bytes.

    `operator` is the one whose result made it so, as PyTorch's dispatcher names it, or an empty
    string where nothing was allocated after the step began.
    """

    bytes: int
    phase: Phase
    operator: str
    split: Split


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """The split right after one allocation or release inside a step.

    `operator` is the place among the anatomy's `operators` of the one that allocated.
    """

    phase: Phase
    split: Split
    operator: int = 0


class Anatomy(msgspec.Struct, frozen=True):
    """One instrumented step.

    `boundaries` holds the split at the end of each phase (of the last one, where a phase came more
    than once, as in gradient accumulation); `high_water` each category's own largest value within
    the step; `curve` the split after every allocation and release, in order. `operators` are those
    that the curve's moments refer to, as PyTorch's dispatcher names them; the first is an empty
    string, for the step's start and for releases. `loss` is the place in the curve of the loss's
    first moment, which belongs to forward; None where nobody told of its beginning.
    """

    boundaries: dict[Phase, Split]
    high_water: Split
    peak: Peak
    curve: tuple[Moment, ...]
    operators: tuple[str, ...] = ("",)
    loss: int | None = None


class TensorFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What sits in one storage, of `bytes` bytes.

    `name` is what its owner calls it, as in "1.weight", "1.weight.grad", "exp_avg of 1.weight" or
    "inputs"; empty where it is nobody's. `operator` made it, as PyTorch's dispatcher names it;
    empty where it is older than the step. `shape` and `dtype` are the tensor's, both None for a
    buffer that only the allocator saw, within the operator. `born` is the phase in which it was
    made, None if it is older than the step, `gone` the one in which it was given back, None if
    that was after the step. A `view` has another size than its storage.
    """

    bytes: int
    name: str = ""
    operator: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    born: Phase | None = None
    gone: Phase | None = None
    view: bool = False


class Tensors(msgspec.Struct, frozen=True):
    """What a category consists of when it is at its high water: the largest first.

    So many `others` are not listed, of `others_bytes` bytes in all.
    """

    largest: tuple[TensorFacts, ...] = ()
    others: int = 0
    others_bytes: int = 0


class Reading(msgspec.Struct, frozen=True):
    """Live bytes of an allocator: as they were asked for (None where it does not tell), and given.

    The difference is what it rounds up. Of those asked for, operators keep `workspace` bytes for
    good (None where that is not known), and `other` bytes are older than the step and nobody's, as
    what a step before it has not let go of yet. All the rest is the step's.
    """

    requested: int | None
    allocated: int
    workspace: int | None = None
    other: int = 0


class AllocatorMemory(msgspec.Struct, frozen=True):
    """What the device's caching allocator says of an instrumented step, in bytes.

    `boundaries` holds its live bytes at the end of each phase, `reserved` what it has from the
    driver at the step's end, `inactive` what of that lies between live blocks and cannot be given
    back. Both peaks are within the step. `workspace` is what operators took and keep for good
    although no tensor holds it: cuBLAS's buffers, each of `workspace_each` where all are alike. So
    at each boundary the requested bytes are those of the split, of the workspaces and of what is
    nobody's, and the allocated ones those and the rounding. `retries` and `shortages` count since
    the worker began: allocations that first had the cache given back, and those that failed. None
    is what an allocator does not tell.
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
        return self.boundaries["zero_grad"]

    @property
    def cache(self) -> int:
        """What the allocator has from the driver and nobody uses, in bytes."""
        return self.reserved - self.end.allocated

    @property
    def rounding(self) -> int | None:
        """What the allocator gave out beyond what was asked for, in bytes; None if it hides it."""
        end = self.end
        return None if end.requested is None else end.allocated - end.requested
