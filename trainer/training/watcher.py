"""What is called during a step: a recording of it, or a stand-in that does nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol

from vramtop.protocol.split import Phase


class Watcher(Protocol):
    """Is called as a step proceeds. Entered when the step begins, left when it ends or fails."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

    def expect(self, size: int) -> None:
        """A batch of `size` bytes is about to be made."""

    def aside(self) -> AbstractContextManager[object]:
        """A context in which a batch is made on the host; that memory is not the step's."""

    def begin(self, phase: Phase) -> None:
        """A phase begins, and the previous one ends."""

    def loss(self) -> None:
        """The rest of the forward phase computes the loss."""

    def batch(self, **named: object) -> None:
        """These tensors are the batch."""


class Unwatched(nullcontext[None]):
    """The watcher of a plain step, which is not recorded. It knows only the present `phase`."""

    phase: Phase = "load"

    def expect(self, size: int) -> None:
        """Do nothing."""

    def aside(self) -> AbstractContextManager[object]:
        """Do nothing."""
        return self

    def begin(self, phase: Phase) -> None:
        """Remember the phase."""
        self.phase = phase

    def loss(self) -> None:
        """Do nothing."""

    def batch(self, **named: object) -> None:
        """Do nothing."""
