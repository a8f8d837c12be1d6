"""Drawn images in CIFAR-10's shape, for use without its photographs.

Ten kinds of shapes and textures in random colours, places and sizes, with noise. The images do not
depend on the training's seed: they are always the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

KINDS = (
    "disc",
    "square",
    "diamond",
    "cross",
    "ring",
    "horizontal stripes",
    "vertical stripes",
    "checkers",
    "diagonal stripes",
    "dots",
)
TRAIN, TEST = 50_000, 10_000
SIDE = 32
_CHUNK = 5_000
_NOISE = 32  # a power of two


def draw() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and test images: uint8 (N, 3, 32, 32), and their kinds: int64 (N,)."""
    generator = torch.Generator().manual_seed(10)
    images = torch.empty(TRAIN + TEST, 3, SIDE, SIDE, dtype=torch.uint8)
    kinds = torch.arange(TRAIN + TEST).remainder(len(KINDS))
    # Every chunk has equally many of each kind, in turn; all of one kind are drawn at once.
    for start in range(0, TRAIN + TEST, _CHUNK):
        for kind in range(len(KINDS)):
            count = _CHUNK // len(KINDS)
            images[start + kind : start + _CHUNK : len(KINDS)] = _drawn(kind, count, generator)
    return (images[:TRAIN], kinds[:TRAIN]), (images[TRAIN:], kinds[TRAIN:])


def _drawn(kind: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` images of one kind, uint8 (count, 3, 32, 32)."""
    middle = torch.randint(11, 21, (2, count, 1, 1), generator=generator)
    size = torch.randint(5, 11, (count, 1, 1), generator=generator)
    period = torch.randint(3, 6, (count, 1, 1), generator=generator)
    y = torch.arange(SIDE).view(1, SIDE, 1) - middle[0]
    x = torch.arange(SIDE).view(1, 1, SIDE) - middle[1]
    inside = _inside(kind, x, y, size, period).unsqueeze(1)
    colours = torch.randint(
        0, 256 - _NOISE, (2, count, 3, 1, 1), dtype=torch.uint8, generator=generator
    )
    # One random number gives the noise of eight pixels, which takes a quarter of the time.
    noise = torch.empty(count, 3, SIDE, SIDE // 8, dtype=torch.int64).random_(generator=generator)
    noise = noise.view(torch.uint8).bitwise_and_(_NOISE - 1)
    return torch.where(inside, colours[0], colours[1]).add_(noise)


def _inside(kind: int, x: Tensor, y: Tensor, size: Tensor, period: Tensor) -> Tensor:
    """Which pixels the shape covers: bool (count, 32, 32); x and y are relative to its middle."""
    match KINDS[kind]:
        case "disc":
            return x * x + y * y <= size * size
        case "square":
            return (x.abs() <= size) & (y.abs() <= size)
        case "diamond":
            return x.abs() + y.abs() <= size
        case "cross":
            arm = size // 3
            return ((x.abs() <= arm) & (y.abs() <= size)) | ((y.abs() <= arm) & (x.abs() <= size))
        case "ring":
            square = x * x + y * y
            return (square <= size * size) & (square > (size - 3) * (size - 3))
        case "horizontal stripes":
            return (y.div(period, rounding_mode="floor") % 2 == 0).expand(-1, SIDE, SIDE)
        case "vertical stripes":
            return (x.div(period, rounding_mode="floor") % 2 == 0).expand(-1, SIDE, SIDE)
        case "checkers":
            columns = x.div(period, rounding_mode="floor")
            return (columns + y.div(period, rounding_mode="floor")) % 2 == 0
        case "diagonal stripes":
            return (x + y).div(period, rounding_mode="floor") % 2 == 0
        case _:
            return (x % (period + 2) < 2) & (y % (period + 2) < 2)
