"""Checks that settings fit together: the batch and the data, the budget and the model. No torch."""

from __future__ import annotations

from .formula import FLOAT32_BYTES, mlp_parameters
from .settings import MAX_ACCUMULATION, MAX_HIDDEN, MAX_RATE, SettingError, Settings


def check(settings: Settings, *, pixels: int, images: int) -> None:
    """Raise `SettingError` if these settings cannot work with `images` of `pixels` values each."""
    if not 1 <= settings.batch_size <= images:
        raise SettingError(
            f"batch size is a whole number from 1 to {images:,}, the training images at hand, "
            f"not {settings.batch_size:,}"
        )
    most = min(MAX_ACCUMULATION, images // settings.batch_size)
    if not 1 <= settings.accumulation <= most:
        raise SettingError(
            f"accumulation is a whole number from 1 to {most:,} where batches are "
            f"{settings.batch_size:,} of {images:,} images, not {settings.accumulation:,}"
        )
    if not 1 <= settings.hidden <= MAX_HIDDEN:
        raise SettingError(
            f"hidden width is a whole number from 1 to {MAX_HIDDEN:,}, not {settings.hidden:,}"
        )
    if not 0 < settings.rate <= MAX_RATE:
        raise SettingError(
            f"learning rate is a number above 0 and up to {MAX_RATE}, not {settings.rate:g}"
        )
    model = FLOAT32_BYTES * mlp_parameters(pixels, settings.hidden)
    if settings.budget is not None and settings.budget < model:
        raise SettingError(
            f"a budget of {settings.budget:,} B does not hold the model: its parameters alone "
            f"take {model:,} B"
        )
