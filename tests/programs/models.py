"""Networks whose parts are shared, frozen, added, computed again, compiled or split."""

from __future__ import annotations

import torch
from parts import batch, batches, cross_entropy, mlp, mlp_with_adamw, train
from running import Run
from sizes import ACTIVATIONS, BATCH, CLASSES, FLOAT, HIDDEN, IMAGES, KEPT_BY_LOSS, LOSS, PIXELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

OUTPUT = FLOAT * IMAGES * CLASSES


def _train(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, kept: int) -> None:
    """Train it; `kept` are the bytes that forward keeps for backward."""
    run.owns(model, optimizer)
    left = {"activations": LOSS}
    train(run, model, optimizer, forward={"activations": kept}, backward=left, step=left)


class _Checkpointed(nn.Module):
    """Blocks of which only the inputs are kept."""

    def __init__(self, blocks: int, *, reentrant: bool) -> None:
        super().__init__()
        self.first = nn.Linear(PIXELS, HIDDEN)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(HIDDEN, 4 * HIDDEN), nn.GELU(), nn.Linear(4 * HIDDEN, HIDDEN))
            for _ in range(blocks)
        )
        self.last = nn.Linear(HIDDEN, CLASSES)
        self._reentrant = reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.first(inputs)
        for block in self.blocks:
            values = checkpoint(block, values, use_reentrant=self._reentrant)
        return self.last(values)


def _checkpointed(run: Run, *, reentrant: bool) -> None:
    blocks = 3
    model = _Checkpointed(blocks, reentrant=reentrant).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    inputs_of_blocks = (blocks + 1) * FLOAT * IMAGES * HIDDEN
    _train(run, model, optimizer, inputs_of_blocks + KEPT_BY_LOSS + LOSS)


def checkpointed(run: Run) -> None:
    _checkpointed(run, reentrant=False)


def checkpointed_reentrant(run: Run) -> None:
    _checkpointed(run, reentrant=True)


def frozen(run: Run) -> None:
    """The first layer is not trained, so nothing is kept for it but what the last one needs."""
    model = mlp(run.device)
    model[0].requires_grad_(False)
    _train(run, model, torch.optim.AdamW(model[2].parameters()), ACTIVATIONS)


class _LoRA(nn.Module):
    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.base(inputs) + inputs @ self.down.T @ self.up.T


def lora(run: Run) -> None:
    model = nn.Sequential(_LoRA(nn.Linear(PIXELS, CLASSES), 2)).to(run.device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    low_rank = FLOAT * IMAGES * 2
    _train(run, model, torch.optim.AdamW(trained), low_rank + KEPT_BY_LOSS + LOSS)


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.embedding(words))


def tied(run: Run) -> None:
    model = _Tied().to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    weight = FLOAT * 50 * 16
    for _ in run.steps():
        words = torch.zeros(4, 9, dtype=torch.int64, device=run.device)
        optimizer.zero_grad()
        run.at("load", parameters=weight)
        logits = model(words[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten())
        run.at("forward", parameters=weight)
        loss.backward()
        run.at("backward", gradients=weight)
        optimizer.step()
        run.at("optimizer")


def batch_norm(run: Run) -> None:
    """Buffers count as parameters; the batch's mean and deviation are kept."""
    model = nn.Sequential(
        nn.Linear(PIXELS, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)
    ).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    before_and_after_norm = 2 * FLOAT * IMAGES * HIDDEN
    statistics = 2 * FLOAT * HIDDEN
    kept = before_and_after_norm + statistics + KEPT_BY_LOSS + LOSS
    _train(run, model, optimizer, kept)


def convolution(run: Run) -> None:
    torch.backends.cudnn.enabled = False  # it is not simulated
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4 * 2 * 4, CLASSES), nn.Dropout(0.1),
    ).to(run.device)  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs.view(IMAGES, 1, 4, 8)), targets)
        run.at("forward", batch_data=BATCH)
        loss.backward()
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer", batch_data=BATCH, activations=LOSS)


def attention(run: Run) -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer, layer)  # of which the model has copies
    for _ in run.steps():
        inputs = torch.randn(4, 8, 32, device=run.device)
        optimizer.zero_grad()
        run.at("load", batch_data=FLOAT * 4 * 8 * 32)
        loss = model(inputs).square().mean()
        run.at("forward", batch_data=FLOAT * 4 * 8 * 32)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def _compiled(run: Run, backend: str) -> None:
    model, optimizer = mlp_with_adamw(run)
    train(run, torch.compile(model, backend=backend), optimizer)
    run.said["graphs"] = torch._dynamo.utils.counters["stats"]["unique_graphs"]


def compiled_eager(run: Run) -> None:
    _compiled(run, "eager")


def compiled_aot(run: Run) -> None:
    _compiled(run, "aot_eager")


def compiled_inductor(run: Run) -> None:
    _compiled(run, "inductor")


def _broadcast(tensors: list[Tensor], devices: list[int], _: int = 0) -> list[list[Tensor]]:
    return [[tensor.to(f"cuda:{device}") for tensor in tensors] for device in devices]


def _add_up(tensors: list[list[Tensor]], device: int, _: int = 0) -> list[Tensor]:
    return [first + other.to(f"cuda:{device}") for first, other in zip(*tensors, strict=True)]


class _WithoutOperators(torch.autograd.Function):
    """Its gradient is made by no operator, as it is with compiled code."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor) -> Tensor:
        ctx.count = weight.numel()
        return weight * 2

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, _: Tensor) -> Tensor:
        return torch.frombuffer(bytearray(FLOAT * ctx.count), dtype=torch.float32)


class _Weights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(PIXELS))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ _WithoutOperators.apply(self.weight)


def gradients_without_operators(run: Run) -> None:
    model = _Weights()
    optimizer = torch.optim.SGD(model.parameters())
    run.owns(model, optimizer)
    for _ in run.steps():
        inputs, _ = batch(run.device)
        optimizer.zero_grad()
        run.at("load", gradients=0)
        loss = model(inputs).sum()
        run.at("forward", gradients=0)
        loss.backward()
        run.at("backward", gradients=FLOAT * PIXELS)
        optimizer.step()
        run.at("optimizer", gradients=FLOAT * PIXELS)


def on_two_gpus(run: Run) -> None:
    """DataParallel: copies of the parameters on the second GPU, gradients on the first."""
    # NCCL is not simulated.
    torch.nn.parallel.comm.broadcast_coalesced = _broadcast
    torch.nn.parallel.comm.reduce_add_coalesced = _add_up
    model, optimizer = mlp_with_adamw(run)
    train(run, nn.DataParallel(model, [run.device, torch.device("cuda:1")]), optimizer)
