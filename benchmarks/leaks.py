"""Trainings that keep more after each step, for `growing.py`: `leaks.py NAME DEVICE SECONDS`.

Each keeps tensors in another way. `LEAKS` has the name under which the program reaches them.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

Step = Callable[[int, nn.Module, Tensor, Tensor], None]


class Callback:
    """Remembers the outputs of each step, as a progress display may."""

    def __init__(self) -> None:
        self.outputs: list[Tensor] = []


history: list[Tensor] = []
evaluated: list[Tensor] = []
hooked: list[Tensor] = []
errors: list[Exception] = []
cache: dict[int, Tensor] = {}
dataset: list[Tensor] = []
callback = Callback()
records = logging.handlers.MemoryHandler(1 << 20, flushLevel=logging.CRITICAL + 1)
mean = torch.zeros(())


def losses(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """A list of losses that are not detached."""
    del number, model, inputs
    history.append(loss)


def evaluation(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """Predictions of an evaluation, which are joined at the end."""
    del number, loss
    with torch.no_grad():
        evaluated.append(model(inputs))


def hook(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """A hook that keeps what a layer made."""
    del inputs, loss
    if number == 0:
        model[0].register_forward_hook(lambda _, __, made: hooked.append(made.detach()))  # type: ignore[index]


def exception(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """Errors whose tracebacks keep the variables of functions that have ended."""
    del number, loss

    def fail() -> None:
        predictions = model(inputs).detach()
        raise ValueError(f"strange predictions of {predictions.shape}")

    try:
        fail()
    except ValueError as error:
        errors.append(error)


def _remembering() -> Step:
    kept: list[Tensor] = []

    def closure(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
        del number, model, loss
        kept.append(inputs * 2)

    return closure


def growing_cache(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """A cache whose keys never come again."""
    del loss
    cache[number] = model(inputs).detach()


def running_mean(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """A mean of losses in evaluation, whose graphs no backward pass has freed."""
    del loss
    global mean  # noqa: PLW0603  # as in a script
    evaluated = model(inputs).square().mean()
    mean = (mean.to(inputs.device) * number + evaluated) / (number + 1)


def display(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """An object that is told each step's outputs."""
    del number, loss
    callback.outputs.append(model(inputs).detach())


def logger(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """Log records whose arguments are tensors."""
    del model, inputs
    records.emit(logging.LogRecord("train", 20, "", 0, "%s: %s", (number, loss.detach()), None))


def growing_dataset(number: int, model: nn.Module, inputs: Tensor, loss: Tensor) -> None:
    """A data set on the device, to which each step adds."""
    del number, model, loss
    dataset.append(inputs.clone())


# Each with a word of the name by which the program reaches what it keeps.
LEAKS: dict[str, tuple[Step, str]] = {
    "losses": (losses, "history"),
    "evaluation": (evaluation, "evaluated"),
    "hook": (hook, "hooked"),
    "exception": (exception, "errors"),
    "closure": (_remembering(), "kept"),
    "cache": (growing_cache, "cache"),
    "running mean": (running_mean, "mean"),
    "callback": (display, "outputs"),
    "logger": (logger, "records"),
    "dataset": (growing_dataset, "dataset"),
}


def train(step: Step, device: str, seconds: float) -> None:
    """Train an MLP for so long."""
    torch.manual_seed(42)
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    end, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        inputs = torch.randn(64, 784, device=device)
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step(number, model, inputs, loss)
        number += 1
        time.sleep(0.02)  # so that the kept bytes of some hundred steps fit


if __name__ == "__main__":
    train(LEAKS[sys.argv[1]][0], sys.argv[2], float(sys.argv[3]))
