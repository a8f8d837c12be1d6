"""The runs of a sweep: every batch size from the same start, once or several times. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace
from vramtop.protocol.lesson.settings import MAX_RATE, MAX_SEED, SettingError, Settings
from vramtop.tui.words import units

Scale = Literal["none", "linear", "sqrt"]
SCALES: tuple[Scale, ...] = get_args(Scale)

IMAGES = 30_000  # five epochs of the sample, half of one of all of MNIST
_FULL = 3  # batches: a first, a settled and a plain one


class Trial(msgspec.Struct, frozen=True):
    """A run from the initial parameters, up to `steps` steps or exactly `images` images."""

    settings: Settings
    steps: int | None
    images: int | None


class Plan(msgspec.Struct, frozen=True):
    """The trials in their order: a round of all sizes for every seed.

    If the machine slows down, every size gets slower, and after an interruption there are results
    for all sizes. `rate` says what the learning rates are.
    """

    trials: tuple[Trial, ...]
    repeats: int
    rate: str


def scaled(sizes: Sequence[Settings], scale: Scale) -> list[Settings]:
    """The settings with learning rates scaled by the batch size, from that of the smallest.

    `linear` follows Goyal et al. 2017 (arXiv 1706.02677), `sqrt` Krizhevsky 2014 (arXiv 1404.5997).
    Raises `SettingError` if a learning rate becomes larger than allowed.
    """
    if scale == "none":
        return list(sizes)
    base = min(settings.batch_size for settings in sizes)
    found = []
    for settings in sizes:
        ratio = settings.batch_size / base
        rate = settings.rate * (ratio if scale == "linear" else math.sqrt(ratio))
        if rate > MAX_RATE:
            raise SettingError(
                f"the learning rate of batch {settings.batch_size:,} would be {rate:,.6g}, by "
                f"{scale} scaling from {settings.rate:g} at batch {base:,}; at most {MAX_RATE:,} "
                "can be"
            )
        found.append(replace(settings, learning_rate=rate))
    return found


def rate(sizes: Sequence[Settings], scale: Scale) -> str:
    """How these unscaled settings' learning rates are scaled: `0.001 × √(batch/64)`."""
    first = units.learning_rate(sizes[0].rate)
    base = min(settings.batch_size for settings in sizes)
    ratios = {"none": "", "linear": f" × batch/{base:,}", "sqrt": f" × √(batch/{base:,})"}
    return first + ratios[scale]


def plan(
    sizes: Sequence[Settings],
    train_images: int,
    *,
    steps: int | None,
    images: int | None,
    scale: Scale,
    repeats: int,
) -> Plan:
    """The trials of these sizes, on a dataset of `train_images` training images.

    Raises `SettingError` if they would be too short to measure anything.
    """
    last = sizes[0].seed + repeats - 1
    if last > MAX_SEED:
        raise SettingError(f"{repeats:,} repeats from seed {sizes[0].seed} on pass {MAX_SEED}")
    if steps is None:
        images = _enough(sizes, train_images, images)
    trials = [
        Trial(
            replace(settings, seed=settings.seed + number),
            None if steps is None else max(steps, _least_steps(settings, train_images)),
            images,
        )
        for number in range(repeats)
        for settings in scaled(sizes, scale)
    ]
    return Plan(tuple(trials), repeats, rate(sizes, scale))


def _enough(sizes: Sequence[Settings], train_images: int, images: int | None) -> int:
    """A number of images for all sizes; each has at least three full batches of them."""
    largest = max(sizes, key=lambda settings: _least_images(settings, train_images))
    least = _least_images(largest, train_images)
    if images is None:
        return max(IMAGES, least)
    if images < least:
        raise SettingError(
            f"batch {largest.batch_size:,} needs at least --images {least:,}: a first, a settled "
            f"and a plain step on full batches, out of epochs of {train_images:,}; "
            f"not {images:,}"
        )
    return images


def _least_images(settings: Settings, train_images: int) -> int:
    """The images in which there are three full batches; an epoch's last batch may be short."""
    size = settings.effective_batch
    epochs, before = divmod(_FULL - 1, train_images // size)
    return epochs * train_images + (before + 1) * size


def _least_steps(settings: Settings, train_images: int) -> int:
    """The steps that those images take."""
    full, short = divmod(train_images, settings.effective_batch)
    return _FULL + ((_FULL - 1) // full if short else 0)
