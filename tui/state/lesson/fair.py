"""The fair comparison of batch sizes: which sizes, and how many images each. Pure."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol.lesson.settings import SettingError, Settings, parse_batch_sizes
from vramtop.tui.worker.sweep_plan import Plan, plan

from .visits import Visits

SIZES = (16, 64, 256, 1024, 4096)  # the lesson's


def sizes(settings: Settings, visits: Visits, train_images: int) -> list[int]:
    """The sizes to suggest: those visited, or the lesson's where at most one was visited.

    Sizes that did not fit are left out.
    """
    added = settings.accumulation
    here = [visit for visit in visits if visit.accumulation == added]
    short = [visit.batch_size for visit in here if visit.out_of_memory]
    most = min([train_images // added, *(size - 1 for size in short)])
    visited = [visit.batch_size for visit in here if visit.batch_size <= most]
    return visited if len(visited) > 1 else [size for size in SIZES if size <= most] or visited


def planned(settings: Settings, text: str, train_images: int) -> Plan:
    """The plan of a comparison of the sizes typed; all else is as in `settings`.

    Raises `SettingError` where the data does not allow it.
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
