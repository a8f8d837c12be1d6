"""What a training holds at its peak, counted by itself and without any of the tools.

It knows each storage by a weak reference to it, its size, and when it came and went. Whose it is
follows from what the training has in its hands: modules, optimizers, `.grad` and its batches.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain

import torch
from split_programs import Moment, Training
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

Split = dict[str, int]
GRAIN = 512  # bytes to which the caching allocator rounds


class Counted(TorchDispatchMode):
    """Counts what is made while it is entered, on one device; then `peak` says what there was."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = torch.device(device).type
        self._numbers: dict[int, int] = {}  # of living storages, by their address
        self._sizes: list[int] = []  # bytes, by number
        self._events: list[tuple[int, bool]] = []  # a number, and whether it came or went
        self._owner: dict[int, str] = {}
        self._loaded = 0  # the first number that was made after the batch
        self._steps: list[int] = []  # how many events there were when each step was done

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run an operator, and count what it made."""
        made = func(*args, **(kwargs or {}))
        for each in tree_flatten(made)[0]:
            if isinstance(each, Tensor) and each.device.type == self._device:
                self._number(each)
        return made

    def at(self, training: Training, moment: Moment, batch: Iterable[Tensor]) -> None:
        """The training is at the end of this phase."""
        if moment == "load":
            self._own("batch_data", batch)
            self._loaded = len(self._sizes)
        elif moment == "forward":
            left = (number for number in self._numbers.values() if number >= self._loaded)
            for number in left:
                self._owner.setdefault(number, "activations")
            self._check(training)
        elif moment == "backward":
            self._own("gradients", (p.grad for p in _parameters(training) if p.grad is not None))

    def step_done(self, training: Training) -> None:
        """A step has ended."""
        states = (o.state[p].values() for o in training.optimizers for p in o.state)
        self._own("optimizer_state", (s for s in chain(*states) if isinstance(s, Tensor)))
        self._own("parameters", _parameters(training))
        self._steps.append(len(self._events))

    def peak(self, grain: int = 1) -> Split:
        """What the last step held when it held most, with each size rounded up to `grain` bytes."""
        before, end = self._steps[-2:]
        held: set[int] = set()
        most, at_most, total = 0, held, 0
        for position, (number, came) in enumerate(self._events[:end]):
            (held.add if came else held.remove)(number)
            total += self._size(number, grain) if came else -self._size(number, grain)
            if position >= before and total > most:
                most, at_most = total, set(held)
        split: Counter[str] = Counter()
        for number in at_most:
            split[self._owner.get(number, "temporaries")] += self._size(number, grain)
        return dict(split)

    def _size(self, number: int, grain: int) -> int:
        return -(-self._sizes[number] // grain) * grain

    def _number(self, tensor: Tensor) -> int | None:
        """The number of a tensor's storage, which is new if it has none; None if it is empty."""
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address and address not in self._numbers:
            number = self._numbers[address] = len(self._sizes)
            self._sizes.append(storage.nbytes())
            self._events.append((number, True))
            weakref.finalize(storage, self._gone, address).atexit = False
        return self._numbers.get(address)

    def _gone(self, address: int) -> None:
        self._events.append((self._numbers.pop(address), False))

    def _own(self, name: str, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            if tensor.device.type == self._device and (number := self._number(tensor)) is not None:
                self._owner[number] = name

    def _check(self, training: Training) -> None:
        """Hold the activations against their closed form."""
        alive = (number for number in self._numbers.values() if number >= self._loaded)
        counted = sum(self._sizes[n] for n in alive if self._owner[n] == "activations")
        if training.activations not in (None, counted):
            raise SystemExit(
                f"{counted:,} bytes of activations, by the closed form {training.activations:,}"
            )


def _parameters(training: Training) -> Iterable[Tensor]:
    return chain.from_iterable(module.parameters() for module in training.modules)
