"""Trainings that say themselves what is whose, for `splits.py`.

A training calls `at` four times a step, or more often where it has several batches: when it has the
batch, when its loss is computed, when its gradients are, and when its parameters are changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint
from trainings import transformer_of

FLOAT = 4
IMAGES, PIXELS, HIDDEN, CLASSES = 64, 784, 128, 10
DEEP, PARTS = 256, 4
Moment = Literal["load", "forward", "backward", "optimizer"]


class At(Protocol):
    """Called when the training has come to the end of a phase; after `load` with the batch."""

    def __call__(self, moment: Moment, *batch: Tensor) -> None:
        """It is at the end of this phase."""
        ...


@dataclass
class Training:
    """A training that is made anew in each process.

    `activations` is the closed form of what forward leaves for backward, in bytes; None where there
    is none.
    """

    modules: Sequence[nn.Module]
    optimizers: Sequence[torch.optim.Optimizer]
    step: Callable[[At], None]
    activations: int | None


def mlp(device: str) -> Training:
    """The lesson's MLP with Adam."""
    model = _mlp(device)
    optimizer = torch.optim.Adam(model.parameters())
    return _training(model, optimizer, model, FLOAT * IMAGES * HIDDEN)


def transformer(device: str) -> Training:
    """Two layers with AdamW, 8 sequences of 64 tokens a step."""
    model = transformer_of(2).to(device)
    optimizer = torch.optim.AdamW(model.parameters())

    def step(at: At) -> None:
        tokens = torch.randint(0, 1000, (8, 64)).to(device)
        optimizer.zero_grad()
        at("load", tokens)
        loss = cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        at("forward")
        loss.backward()
        at("backward")
        optimizer.step()
        at("optimizer")

    return Training([model], [optimizer], step, None)


def checkpointed(device: str) -> Training:
    """Blocks whose activations are computed again in backward; only their inputs are kept."""

    def block() -> nn.Module:
        return nn.Sequential(nn.Linear(DEEP, DEEP), nn.ReLU(), nn.Linear(DEEP, DEEP), nn.ReLU())

    layers = nn.ModuleList([nn.Linear(PIXELS, DEEP), block(), block(), nn.Linear(DEEP, CLASSES)])
    model = layers.to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    first, *blocks, last = model

    def forward(inputs: Tensor) -> Tensor:
        hidden = first(inputs)
        for each in blocks:
            hidden = checkpoint(each, hidden, use_reentrant=False)
        return last(hidden)

    return _training(model, optimizer, forward, FLOAT * IMAGES * DEEP * 3)


def mixed(device: str) -> Training:
    """The MLP in half precision by autocast: bfloat16 on a CPU, float16 and a scaler on a GPU."""
    model = _mlp(device)
    optimizer = torch.optim.Adam(model.parameters())
    kind = "cuda" if device.startswith("cuda") else "cpu"
    dtype = torch.float16 if kind == "cuda" else torch.bfloat16
    scaler = torch.amp.GradScaler(kind, enabled=kind == "cuda")

    def step(at: At) -> None:
        inputs, targets = _images(device)
        optimizer.zero_grad()
        at("load", inputs, targets)
        with torch.autocast(kind, dtype):
            loss = cross_entropy(model(inputs), targets)
        at("forward")
        scaler.scale(loss).backward()
        at("backward")
        scaler.step(optimizer)
        scaler.update()
        at("optimizer")

    return Training([model], [optimizer], step, None)


def accumulated(device: str) -> Training:
    """Four batches for each step of the optimizer."""
    model = _mlp(device)
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)

    def step(at: At) -> None:
        optimizer.zero_grad()
        for _ in range(PARTS):
            inputs, targets = _images(device)
            at("load", inputs, targets)
            loss = cross_entropy(model(inputs), targets) / PARTS
            at("forward")
            loss.backward()
            at("backward")
        optimizer.step()
        at("optimizer")

    return Training([model], [optimizer], step, _kept_by_loss() + FLOAT * IMAGES * HIDDEN)


def adversarial(device: str) -> Training:
    """Two networks that train against each other, an optimizer each."""
    generator = nn.Sequential(nn.Linear(32, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS))
    critic = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    generator, critic = generator.to(device), critic.to(device)
    of_generator = torch.optim.Adam(generator.parameters())
    of_critic = torch.optim.RMSprop(critic.parameters())

    def step(at: At) -> None:
        real = torch.randn(IMAGES, PIXELS).to(device)
        noise = torch.randn(IMAGES, 32).to(device)
        of_critic.zero_grad()
        at("load", real, noise)
        loss = critic(generator(noise).detach()).mean() - critic(real).mean()
        at("forward")
        loss.backward()
        at("backward")
        of_critic.step()
        at("optimizer")
        noise = torch.randn(IMAGES, 32).to(device)
        of_generator.zero_grad()
        at("load", noise)
        loss = -critic(generator(noise)).mean()
        at("forward")
        loss.backward()
        at("backward")
        of_generator.step()
        at("optimizer")

    return Training([generator, critic], [of_generator, of_critic], step, None)


def _mlp(device: str) -> nn.Module:
    layers = [nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)]
    return nn.Sequential(*layers).to(device)


def _training(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    forward: Callable[[Tensor], Tensor],
    kept_by_layers: int,
) -> Training:
    def step(at: At) -> None:
        inputs, targets = _images(device)
        optimizer.zero_grad()
        at("load", inputs, targets)
        loss = cross_entropy(forward(inputs), targets)
        at("forward")
        loss.backward()
        at("backward")
        optimizer.step()
        at("optimizer")

    device = str(next(model.parameters()).device)
    return Training([model], [optimizer], step, kept_by_layers + _kept_by_loss())


def _kept_by_loss() -> int:
    """The logarithms of the probabilities, the sum of the classes' weights, and the loss."""
    return FLOAT * IMAGES * CLASSES + FLOAT + FLOAT


def _images(device: str) -> tuple[Tensor, Tensor]:
    return (
        torch.randn(IMAGES, PIXELS).to(device),
        torch.randint(0, CLASSES, (IMAGES,)).to(device),
    )


PROGRAMS: dict[str, Callable[[str], Training]] = {
    "mlp": mlp,
    "transformer": transformer,
    "checkpointed": checkpointed,
    "mixed": mixed,
    "accumulated": accumulated,
    "adversarial": adversarial,
}
