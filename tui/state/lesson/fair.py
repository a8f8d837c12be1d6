"""Batch sizes compared fairly from inside: which, and on how many images. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from vramtop.protocol.lesson.settings import SettingError, Settings, parse_batch_sizes
from vramtop.tui.worker.sweep_plan import Plan, plan

from .visits import Visits

SIZES = (16, 64, 256, 1024, 4096)  # the lesson's


def sizes(settings: Settings, visits: Visits, train_images: int) -> list[int]:
    """Those that were visited, or the lesson's where that is only one; without what did not fit."""
    added = settings.accumulation
    here = [visit for visit in visits if visit.accumulation == added]
    short = [visit.batch_size for visit in here if visit.out_of_memory]
    most = min([train_images // added, *(size - 1 for size in short)])
    visited = [visit.batch_size for visit in here if visit.batch_size <= most]
    return visited if len(visited) > 1 else [size for size in SIZES if size <= most] or visited


def planned(settings: Settings, text: str, train_images: int) -> Plan:
    """A sweep's plan for the sizes that were typed, with all else as in `settings`.

    Raises `SettingError` where it cannot be.
    """
    typed = parse_batch_sizes(text, train_images)
    for size in typed:
        if size * settings.accumulation > train_images:
            raise SettingError(
                f"{settings.accumulation:,} batches of {size:,} are more than the "
                f"{train_images:,} training images"
            )
    runs = [replace(settings, batch_size=size) for size in typed]
    return plan(runs, train_images, steps=None, images=None, scale="none", repeats=1)


def asked(chosen: Plan) -> str:
    """What was begun, beforehand: how many images it takes."""
    runs, images = len(chosen.trials), chosen.trials[0].images or 0
    several = "1 batch size" if runs == 1 else f"{runs:,} batch sizes"
    return f"comparing {several} on {images:,} images each, {runs * images:,} in all"


def hint(settings: Settings, suggested: Sequence[int], train_images: int) -> str:
    """What a comparison of the suggested sizes is and takes."""
    text = ",".join(map(str, suggested))
    images = planned(settings, text, train_images).trials[0].images or 0
    return (
        f"each from fresh weights on the same {images:,} images,\n"
        f"{len(suggested) * images:,} in all; the training waits meanwhile"
    )
