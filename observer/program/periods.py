"""When two periods of one kind have been recorded: the rules of what a step is.

A step runs from one optimizer's step to the same optimizer's next one. With several optimizers it
is the rarest one's, so that a whole cycle is one step. Where no optimizer of PyTorch's takes part,
a step runs from the end of one backward pass to that of the next. A step of inference is one call
of the outermost module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["training", "inference"]

_BOUNDS = 3  # two periods have three
_PATIENCE = 64  # steps or backward passes to wait at most for a rarer optimizer
_WITHOUT_GRAD = 3  # calls in a row, of one module, that are taken for inference
_WITH_GRAD = 32  # the same where gradients could be computed, in a program that never does


class Done(NamedTuple):
    """Two periods are complete: what they are steps of, and the marks at their three bounds."""

    kind: Kind
    bounds: tuple[int, ...]
    optimizer: int | None  # the `id` of the one whose steps they are


class Periods:
    """Is told what happens in a window, by the numbers of its marks.

    `recent` are the optimizers whose steps were seen before, by `id`; `optimizers` says whether the
    program has any. `inference` says whether calls without gradients may end the window.
    """

    def __init__(
        self, recent: Iterable[int] = (), *, optimizers: bool = False, inference: bool = True
    ) -> None:
        self._steps: dict[int, list[int]] = {optimizer: [] for optimizer in Counter(recent)}
        self._optimizers = optimizers or bool(self._steps)
        self._inference = inference
        self._nested = False
        self._backward: list[int] = []
        self._calls: list[int] = []
        self._module, self._grad = 0, False

    def optimizer(self, mark: int, optimizer: int) -> Done | None:
        """An optimizer's step has ended."""
        self._calls.clear()
        self._steps.setdefault(optimizer, []).append(mark)
        counts = {who: len(marks) for who, marks in self._steps.items()}
        rarest = min(counts, key=lambda who: counts[who])
        if sum(counts.values()) >= _PATIENCE:
            rarest = min(
                (who for who, count in counts.items() if count >= _BOUNDS),
                key=lambda who: counts[who],
                default=rarest,
            )
        # Of optimizers that step alike, it is the one that began.
        if counts[rarest] >= _BOUNDS and counts[optimizer] == counts[rarest]:
            return Done("training", tuple(self._steps[optimizer][-_BOUNDS:]), optimizer)
        return None

    @property
    def stepped(self) -> int:
        """How many optimizers have stepped."""
        return sum(map(bool, self._steps.values()))

    def so_far(self, *, whole: bool) -> Done | None:
        """What is complete though two periods are not; the first may be empty, and then the cut is
        its begin. `whole` says that the first one began with the window, at mark 0.
        """
        kind: Kind = "training"
        optimizer: int | None = None
        marks = self._backward
        if self.stepped:
            fewest = min(len(each) for each in self._steps.values() if each)
            alike = {who: each for who, each in self._steps.items() if len(each) == fewest}
            optimizer = max(alike, key=lambda who: alike[who][-1])
            marks = alike[optimizer]
        elif not marks and not self._grad:
            kind, marks = "inference", self._calls
        bounds = [0] * whole + marks
        if len(bounds) < _BOUNDS - 1:
            return None
        return Done(kind, tuple([bounds[0], *bounds][-_BOUNDS:]), optimizer)

    def optimizer_in_backward(self) -> None:
        """An optimizer has stepped within a backward pass, which bounds no step."""
        self._nested = True

    def backward(self, mark: int) -> Done | None:
        """A backward pass has ended."""
        self._calls.clear()
        self._backward.append(mark)
        stepping = any(self._steps.values())
        expected = self._optimizers and not self._nested and len(self._backward) < _PATIENCE
        if stepping or expected or len(self._backward) < _BOUNDS:
            return None
        return Done("training", tuple(self._backward[-_BOUNDS:]), None)

    def call(self, mark: int, module: int, *, grad: bool) -> Done | None:
        """A call of an outermost module has ended; `grad` says whether it can be differentiated."""
        if (module, grad) != (self._module, self._grad):
            self._calls.clear()
            self._module, self._grad = module, grad
        self._calls.append(mark)
        trains = self._optimizers or bool(self._backward)
        if not self._inference or (grad and trains):
            return None
        if len(self._calls) < (_WITH_GRAD if grad else _WITHOUT_GRAD):
            return None
        return Done("inference", tuple(self._calls[-_BOUNDS:]), None)
