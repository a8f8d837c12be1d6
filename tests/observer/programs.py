"""Small programs, and steps of them, for the tests of the ledger."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from vramtop.protocol.split import Anatomy
from vramtop.trainer.training.ledger import Ledger, RecordedStep

CPU = torch.device("cpu")
FLOAT, LONG = 4, 8


def mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))


MLP_BYTES = FLOAT * (8 * 16 + 16 + 16 * 2 + 2)


def sgd(*modules, **options):
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return torch.optim.SGD(parameters, lr=0.1, **options)


def train(recording, model, optimizer, make_batch, loss=lambda output: output.sum()):
    """One step of the plain kind; batch, output and loss live to its end."""
    recording.begin("load")
    batch = make_batch()
    recording.batch(batch)
    recording.begin("forward")
    output = model(batch)
    value = loss(output)
    recording.begin("backward")
    value.backward()
    recording.begin("optimizer")
    optimizer.step()
    recording.begin("zero_grad")
    optimizer.zero_grad()
    recording.begin("load")
    del batch


def anatomy_of(model, optimizer, make_batch, **options):
    with Ledger(CPU, [model], [optimizer]).record() as recording:
        train(recording, model, optimizer, make_batch, **options)
    return recording.anatomy()


# ---- one linear layer -----------------------------------------------------------------------

# 2 images of 8 values to 4 outputs: the weight has 32 floats.
WEIGHT, INPUTS, OUTPUTS, LOSS = 128, 64, 32, 4


def linear() -> nn.Linear:
    return nn.Linear(8, 4, bias=False)


def step(
    ledger: Ledger,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    loss_of: Callable[[Tensor], Tensor],
    *,
    set_to_none: bool = True,
) -> Anatomy:
    with ledger.record() as recording:
        recording.batch(batch)
        recording.begin("forward")
        loss = loss_of(batch)
        recording.begin("backward")
        loss.backward()
        recording.begin("optimizer")
        optimizer.step()
        recording.begin("zero_grad")
        optimizer.zero_grad(set_to_none=set_to_none)
    return recording.anatomy()


def settled(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    loss_of: Callable[[Tensor], Tensor] | None = None,
    *,
    set_to_none: bool = True,
) -> Anatomy:
    """The second step. The loss is the sum of the outputs unless `loss_of` is given."""
    ledger = Ledger(CPU, [model], [optimizer])
    loss_of = loss_of or (lambda values: model(values).sum())
    step(ledger, optimizer, batch, loss_of, set_to_none=set_to_none)
    return step(ledger, optimizer, batch, loss_of, set_to_none=set_to_none)


# ---- the lesson's MLPs ----------------------------------------------------------------------

VARIANTS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "adam": (torch.optim.Adam, {"foreach": False}),  # a loop over the tensors: a CPU's default
    "adamw": (torch.optim.AdamW, {}),
    "adam-foreach": (torch.optim.Adam, {"foreach": True}),
    "adam-fused": (torch.optim.Adam, {"fused": True}),
}


def lesson_mlp(pixels: int) -> nn.Module:
    layers = [nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*layers)


def optimizer_of(variant: str, model: nn.Module) -> torch.optim.Optimizer:
    kind, options = VARIANTS[variant]
    return kind(model.parameters(), lr=1e-3, **options)


def classify(
    ledger: Ledger,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    make_batch: Callable[[], tuple[Tensor, Tensor]],
) -> RecordedStep:
    """One step; inputs, targets, output and loss live to its end, as in a training loop."""
    with ledger.record() as recording:
        inputs, targets = make_batch()
        recording.batch(inputs=inputs, targets=targets)
        recording.begin("forward")
        output = model(inputs)
        loss = nn.functional.cross_entropy(output, targets)
        recording.begin("backward")
        loss.backward()
        recording.begin("optimizer")
        optimizer.step()
        recording.begin("zero_grad")
        optimizer.zero_grad()
    return recording


def zeros(images: int, *shape: int) -> tuple[Tensor, Tensor]:
    """Images and targets, all zero."""
    return torch.zeros(images, *shape), torch.zeros(images, dtype=torch.int64)
