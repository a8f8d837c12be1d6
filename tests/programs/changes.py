"""Trainings on a GPU, each as it is and with one change made, and what a step of each holds.

Run in a child of a process that has imported torch, and where CUDA has not been started.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from predicted import BFLOAT16, CHECKPOINTED, LOOP, NO_STATE, ONE_STATE, RELEASED
from running import Run
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

WORDS, WIDTH, LENGTH = 500, 64, 48

torch.backends.cudnn.enabled = False  # it is not simulated


@dataclass
class Training:
    """A training that a change can be made to; `zero` says where its gradients go."""

    model: nn.Module
    batch: Callable[[], tuple[Tensor, Tensor]]
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW
    options: dict[str, object] = field(default_factory=dict)
    zero: str = "before backward"
    batches: int = 1
    closure: bool = False
    around: Callable[[], AbstractContextManager[object]] = nullcontext

    def changed(self, change: str) -> Callable[[], None]:
        """A step of it with this change; the one after the optimizer's step is `after`."""
        model = self.model.cuda()
        if change.startswith(CHECKPOINTED):
            _checkpoint(model, change.removeprefix(CHECKPOINTED))
        if change == BFLOAT16:
            model.bfloat16()
        make = self.optimizer
        options = self.options
        if change == NO_STATE:
            make, options = torch.optim.SGD, {}
        elif change == ONE_STATE:
            make, options = torch.optim.SGD, {"momentum": 0.9}
        elif change == LOOP:
            options = options | {"foreach": False}
        optimizer = make(model.parameters(), lr=0.1, **options)
        self.made = optimizer

        def forward_and_backward() -> None:
            for _ in range(self.batches):
                inputs, targets = self.batch()
                if change == BFLOAT16 and inputs.is_floating_point():
                    inputs = inputs.bfloat16()
                with self.around():
                    loss = cross_entropy(model(inputs), targets)
                if self.batches == 1 and change != RELEASED and self.zero == "before backward":
                    optimizer.zero_grad()
                if self.batches == 1 and change != RELEASED and self.zero == "zeros":
                    optimizer.zero_grad(set_to_none=False)
                loss.backward()

        def step() -> None:
            if self.batches > 1 and change != RELEASED:
                optimizer.zero_grad()
            if self.closure:
                optimizer.step(forward_and_backward)
            else:
                forward_and_backward()
                optimizer.step()
            if change == RELEASED or self.zero == "after":
                optimizer.zero_grad()

        return step


def _checkpoint(model: nn.Module, what: str) -> None:
    """Let these modules be computed again in backward: "layer1", or "h.*, 4 × Block"."""
    path, _, kind = what.partition(", ")
    for name, module in model.named_modules():
        alike = ".".join("*" if part.isdigit() else part for part in name.split("."))
        if name == path or (alike == path and kind.endswith(f" {type(module).__name__}")):
            again = partial(checkpoint, module.forward, use_reentrant=False)
            module.forward = again  # type: ignore[method-assign]


# ---- networks -------------------------------------------------------------------------------


class Block(nn.Module):
    """A part of a GPT."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.together, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1)
        )

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        several, length, _ = values.shape
        parts = self.together(self.before(values)).view(several, length, 3, 4, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = (query @ key.transpose(-2, -1) + mask).softmax(-1).to(value.dtype) @ value
        values = values + self.out(seen.transpose(1, 2).reshape(several, length, WIDTH))
        return values + self.mlp(self.between(values))


class Gpt(nn.Module):
    """The weights of its words are those of its outputs, or it calls one block again and again."""

    def __init__(self, layers: int = 4, *, tied: bool = True, shared: bool = False) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(1 if shared else layers))
        self.last = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.calls = layers if shared else 1
        if tied:
            self.head.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        length = words.shape[1]
        values = self.words(words) + self.places(torch.arange(length, device=words.device))
        mask = torch.zeros(length, length, device=words.device, dtype=values.dtype)
        for block in self.h:
            for _ in range(self.calls):
                values = block(values, mask)
        return self.head(self.last(values)).transpose(1, 2)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(images)))))
        out += images
        return self.relu(out)


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.layer1 = nn.Sequential(Residual(8), Residual(8))
        self.layer2 = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2), Residual(16), Residual(16))
        self.fc = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.layer2(self.layer1(self.stem(images))).mean((2, 3)))


class UNet(nn.Module):
    """What goes down is used again on the way up."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(self._part(3 if not at else 8 << at, 16 << at) for at in range(2))
        self.middle = self._part(32, 32)
        self.up = nn.ModuleList(self._part(width, 16) for width in (64, 32))
        self.last = nn.Conv2d(16, 10, 1)

    @staticmethod
    def _part(before: int, after: int) -> nn.Sequential:
        layers = [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv2d(after, after, 3, padding=1), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        first = self.down[0](images)
        second = self.down[1](first[:, :, ::2, ::2])
        values = self.middle(second)
        values = self.up[0](torch.cat([values, second], 1)).repeat_interleave(2, 2)
        values = self.up[1](torch.cat([values.repeat_interleave(2, 3), first], 1))
        return self.last(values).mean((2, 3))


def _mlp(width: int = 256, depth: int = 3) -> nn.Sequential:
    blocks = [
        nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh())
        for _ in range(depth)
    ]
    return nn.Sequential(nn.Linear(100, width), *blocks, nn.Linear(width, 10))


def _encoder() -> nn.Sequential:
    layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    return nn.Sequential(nn.Linear(100, WIDTH), encoder, nn.Linear(WIDTH, 10))


def _rows(number: int, *shape: int) -> tuple[Tensor, Tensor]:
    inputs = torch.zeros(number, *shape, device="cuda")
    return inputs, torch.zeros(number, dtype=torch.int64, device="cuda")


def _words(number: int = 8) -> tuple[Tensor, Tensor]:
    words = torch.zeros(number, LENGTH, dtype=torch.int64, device="cuda")
    return words, words.clone()


_autocast = partial(torch.autocast, "cuda", torch.bfloat16)

TRAININGS: dict[str, Callable[[], Training]] = {
    "MLP": lambda: Training(_mlp(), partial(_rows, 64, 100)),
    "MLP, large batch": lambda: Training(_mlp(), partial(_rows, 4096, 100)),
    "MLP, zeros": lambda: Training(_mlp(), partial(_rows, 64, 100), zero="zeros"),
    "MLP, zeros, larger batch": lambda: Training(
        _mlp(), partial(_rows, 512, 100), torch.optim.SGD, zero="zeros"
    ),
    "MLP, SGD": lambda: Training(
        _mlp(), partial(_rows, 512, 100), torch.optim.SGD, {"momentum": 0.9}
    ),
    "MLP, fused": lambda: Training(_mlp(), partial(_rows, 64, 100), options={"fused": True}),
    "MLP, closure": lambda: Training(_mlp(), partial(_rows, 512, 100), closure=True),
    "MLP, released": lambda: Training(_mlp(), partial(_rows, 512, 100), zero="after"),
    "GPT": lambda: Training(Gpt(), _words),
    "GPT, one sequence": lambda: Training(Gpt(), partial(_words, 1), torch.optim.Adam),
    "GPT, autocast": lambda: Training(Gpt(tied=False), _words, around=_autocast),
    "GPT, accumulation": lambda: Training(Gpt(), _words, batches=4),
    "GPT, 48 layers": lambda: Training(Gpt(48), _words),
    "GPT, shared block": lambda: Training(Gpt(shared=True), _words),
    "convolutions": lambda: Training(ConvNet(), partial(_rows, 16, 3, 32, 32)),
    "U-Net": lambda: Training(UNet(), partial(_rows, 8, 3, 32, 32), torch.optim.RMSprop),
    "encoder": lambda: Training(_encoder(), partial(_rows, 384, 100)),
}


# ---- what a step holds ----------------------------------------------------------------------


def observed(name: str, change: str = "") -> list[dict[str, object]]:
    """What the observer says of a training, as it is or with a change."""
    run = Run(torch.device("cuda", 0))
    step = TRAININGS[name]().changed(change)
    try:
        for _ in run.steps():
            step()
    finally:
        run.leave()
    return run.messages


def measured(name: str, change: str) -> int:
    """The most bytes that a step of the changed training has, by the allocator's own statistics."""
    training = TRAININGS[name]()
    step = training.changed(change)
    peaks: list[int] = []

    def at_end(*_: object) -> None:
        peaks.append(torch.cuda.memory_stats()["requested_bytes.all.peak"])
        torch.cuda.reset_peak_memory_stats()

    training.made.register_step_post_hook(at_end)
    for _ in range(4):
        step()
    del training, step
    gc.collect()  # the next one begins with nothing but cuBLAS's workspace
    return peaks[-1]


def in_a_loop(optimizer: str, parameters: int = 3, elements: int = 1 << 16) -> int:
    """The most bytes of temporaries in a step of it with `foreach=False`, with any options.

    The parameters are alike, and in float32.
    """
    flags = ("amsgrad", "centered", "nesterov")
    known = inspect.signature(getattr(torch.optim, optimizer)).parameters
    most = 0
    for capturable in (False, True) if "capturable" in known else (False,):
        for larger in (False, True):
            options: dict[str, object] = {"capturable": capturable} if capturable else {}
            if larger:
                options |= {"maximize": True} | {name: True for name in flags if name in known}
                options |= {
                    name: size
                    for name, size in (("weight_decay", 0.1), ("momentum", 0.9))
                    if name in known
                }
            most = max(most, _temporaries(optimizer, options, parameters, elements))
    return most


def _temporaries(optimizer: str, options: dict[str, object], parameters: int, elements: int) -> int:
    weights = [nn.Parameter(torch.zeros(elements, device="cuda")) for _ in range(parameters)]
    made = getattr(torch.optim, optimizer)(weights, lr=0.1, foreach=False, **options)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        torch.cuda.reset_peak_memory_stats()
        made.step()
        statistics = torch.cuda.memory_stats()
        most = statistics["requested_bytes.all.peak"] - statistics["requested_bytes.all.current"]
    return int(most)
