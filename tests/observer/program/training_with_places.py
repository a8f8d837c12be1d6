"""A training that calls back in the middle of everything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from watched import classifier, held, seed

PLACES = ("forward", "backward", "optimizer")


class Training:
    """In its step it calls what stands at each of the places; `steps` counts those it has made."""

    def __init__(self) -> None:
        seed()
        self.steps = 0
        self.model = classifier()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, momentum=0.9)
        self.at: dict[str, Callable[[], object]] = {}
        self.model[1].register_forward_hook(lambda *_: self._come("forward"))
        self.model[2].weight.register_hook(lambda _: self._come("backward"))
        self.optimizer.register_step_pre_hook(lambda *_: self._come("optimizer"))

    def _come(self, place: str) -> None:
        if place in self.at:
            self.at[place]()

    def step(self) -> None:
        inputs = torch.randn(8, 12)
        self.model(inputs).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1

    def made(self) -> list[list[float]]:
        return held(self.model, self.optimizer)


def plain(steps: int) -> list[list[float]]:
    """What a training that nobody watches has made after so many steps."""
    training = Training()
    for _ in range(steps):
        training.step()
    return training.made()
