"""What is known of a watched program: what `--output` writes and what the screen shows.

Sizes are bytes as asked for, times seconds. Fields that nobody could know are None.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol import split
from vramtop.protocol.split import Category

from .record import Input, Kind

Phase = Literal["load", "forward", "backward", "optimizer"]
Bound = Literal["exact", "at_most"]


class Split(split.Split, frozen=True):
    """Bytes by category at one moment. `other` is older than the step and in no other category."""

    other: int = 0


class Peak(msgspec.Struct, frozen=True):
    """The moment of a step that holds the most bytes.

    `module` was running and `line` allocated; both are empty where that is not known.
    """

    bytes: int
    phase: Phase
    module: str
    line: str
    split: Split


class Allocator(msgspec.Struct, frozen=True):
    """What the device's caching allocator had, in bytes.

    `requested_peak` is that of the step, workspace included; `allocated_peak` and `reserved` are
    the largest that was read at a boundary of the step. `workspace` is cuBLAS's.
    """

    requested_peak: int
    allocated_peak: int | None
    reserved: int | None
    workspace: int


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """The split after an allocation or a release. `line` and `module` are those of the former."""

    phase: Phase
    split: Split
    line: str = ""
    module: str = ""


class Layer(msgspec.Struct, frozen=True):
    """What belongs to a module itself, without its children's, at each category's high water.

    `activations` are those made while it was the innermost module running. It is `recomputed` if it
    was called in backward again, as checkpointed ones are. What belongs to no module is the last
    one, of the name "(no module)".
    """

    name: str
    kind: str
    parameters: int
    gradients: int
    optimizer_state: int
    activations: int
    recomputed: bool = False

    @property
    def bytes(self) -> int:
        """The sum of its categories, each at its own high water."""
        return self.parameters + self.gradients + self.optimizer_state + self.activations


class Line(msgspec.Struct, frozen=True):
    """What a line of the program has allocated of each category, at that category's high water.

    It is the innermost line of the user's own code, as `train.py:42`. It is empty for all that no
    line is known of: what is older than the watched step, and on a GPU what backward makes.
    """

    line: str
    split: Split


class Held(msgspec.Struct, frozen=True):
    """A group of blocks: `count` of `bytes` in all, what they are, and the line that made them.

    `line` is empty where it is not known, or where more than one made them.
    """

    bytes: int
    count: int
    what: str
    line: str


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A category that holds more after each step than after the one before.

    `category` is None while it is known only that all of them together do. At the end of step
    `since` there were `before` bytes of it, at the end of step `until` `bytes`. At this rate the
    device is full in `steps_left` steps at most: it may be sooner, where other processes or the
    allocator's rounding take their part. `kept` is what one step left to the next, by the line that
    made it; `held` by who holds it, as far as the program was asked.
    """

    category: Category | None
    since: int
    until: int
    before: int
    bytes: int
    steps_left: int | None
    kept: tuple[Held, ...]
    held: tuple[Held, ...]

    @property
    def bytes_a_step(self) -> float:
        """By how many bytes it grows in a step, on the average."""
        return (self.bytes - self.before) / (self.until - self.since)


class WhatIf(msgspec.Struct, frozen=True):
    """What the watched step would have held with one change to the program. It is not measured.

    `what` is the change, and `code` the line of Python that makes it. The step's peak would have
    been `peak` bytes, `saved` fewer than it was: to the byte where `bound` is "exact", else that at
    most, so that no less is saved.
    """

    what: str
    peak: int
    saved: int
    bound: Bound
    code: str


class TensorFacts(msgspec.Struct, frozen=True):
    """One block of a category at its high water.

    `born` is the phase that made it, None if it is older than the recorded steps; `gone` is the one
    that released it, None if it outlived the step.
    """

    bytes: int
    name: str
    line: str
    module: str
    shape: tuple[int, ...] | None
    dtype: str | None
    born: Phase | None
    gone: Phase | None = None


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """A watched step of one kind on one device.

    `boundaries` holds the split at the end of each phase, of its last part where it came more than
    once; inference has `load` and `forward` only. `phases` are the same ones, in order.
    `unattributed` is the allocator's requested bytes less all categories and the workspace, the
    largest over all boundaries; None on a device whose allocator does not tell. `curve` begins with
    what there was when the step began. `tensors` has the largest of each category at its high
    water, `blocks` how many it has there. `left_behind` is what the step before has made and the
    program keeps, by line. `unknown` has the addresses and sizes of the blocks of `other` that only
    the program itself can name: first those that the step before has left, each time the largest
    first. `what_if` has the changes to the program that
    would lower the peak, the most bytes first.
    """

    kind: Kind
    inputs: tuple[Input, ...]
    steps: int
    boundaries: dict[Phase, Split]
    high_water: Split
    peak: Peak
    allocator: Allocator | None
    unattributed: int | None
    phases: tuple[Phase, ...]
    curve: tuple[Moment, ...]
    layers: tuple[Layer, ...]
    lines: tuple[Line, ...]
    other: tuple[Held, ...]
    tensors: dict[Category, tuple[TensorFacts, ...]]
    blocks: dict[Category, int]
    left_behind: tuple[Held, ...] = ()
    unknown: tuple[tuple[int, int], ...] = ()
    what_if: tuple[WhatIf, ...] = ()
