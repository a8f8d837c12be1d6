"""What a program of these tests is given: its device, its steps, and a way to count itself.

It counts with no code of the observer's: each storage once, in bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from vramtop.observer.program import agent, pacing

WARM_UP = 3  # steps before the observer comes
LIMIT_SECONDS = 30


class Run:
    """A program on a device, with the real observer in its process.

    The observer looks for a step at once, and watches as often as it can.
    """

    def __init__(self, device: torch.device) -> None:
        agent._PROGRESS_SECONDS = 0.02
        pacing.LEAST_SECONDS = 0.02
        pacing.MOST_SHARE = 1.0
        self.device = device
        self.messages: list[dict[str, object]] = []
        self.counted: dict[str, dict[str, dict[str, int]]] = {}
        self.said: dict[str, object] = {}
        self._modules: list[nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self._agent = agent.Agent(self.messages.append, since_start=False)
        self._begun = 0
        self._ends = 0.0

    # ---- steps ------------------------------------------------------------------------------

    def steps(self, *kinds: str, of: str = "") -> Iterator[int]:
        """Some steps, and then more until the observer has sent a watched step of each kind.

        `of` is the class of the optimizer whose step it must be, if that matters.
        """
        number = 0
        while self.goes_on(*kinds, of=of):
            yield number
            number += 1

    def goes_on(self, *kinds: str, of: str = "") -> bool:
        """Whether there is to be another step."""
        self._begun += 1
        if self._begun == WARM_UP + 1:
            self.join()
        if self._begun <= WARM_UP:
            return True
        others = [message for message in self.messages if message["type"] != "watched_step"]
        assert time.monotonic() < self._ends, others
        assert not others or others[-1]["type"] != "removed", others
        return not {*(kinds or ("training",)), *filter(None, [of])} <= self.watched()

    def join(self) -> None:
        """The observer comes."""
        self._ends = time.monotonic() + LIMIT_SECONDS
        self._agent.join()

    def leave(self) -> None:
        """The observer leaves."""
        self._agent.leave()

    def ask(self) -> None:
        """Let the observer look for who holds what is alive at the latest watched step's end."""
        step = [each for each in self.messages if each["type"] == "watched_step"][-1]
        self._agent.who(str(step["device"]), [address for address, _ in step["blocks"]])

    def has_sent(self, kind: str) -> bool:
        """Whether the observer has sent a message of this kind."""
        assert time.monotonic() < self._ends, self.messages
        return any(message["type"] == kind for message in self.messages)

    def watched(self) -> set[object]:
        """The kinds of the watched steps that were sent, and the optimizers whose they are."""
        steps = [message for message in self.messages if message["type"] == "watched_step"]
        return {step[name] for step in steps for name in ("kind", "optimizer")}

    # ---- what it counts ---------------------------------------------------------------------

    def owns(self, *owners: nn.Module | torch.optim.Optimizer) -> None:
        """Count the parameters, gradients and state of these."""
        for owner in owners:
            if isinstance(owner, nn.Module):
                self._modules.append(owner)
            else:
                self.optimizers.append(owner)

    def forget(self) -> None:
        """Count nothing more of what `owns` was given."""
        self._modules, self.optimizers = [], []

    def at(self, phase: str, step_of: str = "training", **expected: int) -> None:
        """Here a phase of a step ends; `expected` are bytes of categories that the program knows.

        `step_of` is the kind of step, or the class of the optimizer whose step it is.
        """
        self.counted.setdefault(step_of, {})[phase] = {
            "parameters": self.bytes(self._parameters()),
            "gradients": self.bytes(
                each.grad for each in self._parameters() if each.is_leaf and each.grad is not None
            ),
            "optimizer_state": self.bytes(self._state()),
            **expected,
        }

    def highest(self, step_of: str = "training", **expected: int) -> None:
        """The high water of categories that the program knows."""
        self.counted.setdefault(step_of, {})["high_water"] = expected

    def bytes(self, tensors: Iterable[Tensor]) -> int:
        """The bytes of their memory on this device, each storage once."""
        sizes = {}
        for tensor in tensors:
            parts = [tensor._indices(), tensor._values()] if tensor.is_sparse else [tensor]
            for part in parts:
                if part.device == self.device:
                    storage = part.untyped_storage()
                    sizes[storage.data_ptr()] = storage.nbytes()
        return sum(sizes.values())

    def _parameters(self) -> Iterator[Tensor]:
        for module in self._modules:
            yield from module.parameters()
            yield from module.buffers()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                yield from group["params"]

    def _state(self) -> Iterator[Tensor]:
        for optimizer in self.optimizers:
            for state in optimizer.state.values():
                for value in state.values():
                    if isinstance(value, Tensor):
                        yield value
                    elif isinstance(value, list):
                        yield from (each for each in value if isinstance(each, Tensor))
