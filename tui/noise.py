"""What the gradient's noise says of the batch size, in as many words as there is room for."""

from __future__ import annotations

from ..trainer.protocol import Noise
from . import units


def told(noise: Noise | None, batch_size: int, width: int) -> str:
    """One line of at most `width` characters; empty where there is nothing, or no room for it."""
    if noise is None:
        return ""
    return next((text for text in _texts(noise, batch_size) if len(text) <= width), "")


def _texts(noise: Noise, batch_size: int) -> tuple[str, ...]:
    """The same in fewer and fewer words."""
    if noise.scale is None or noise.low is None or noise.high is None:
        return (
            f"gradient noise scale: too noisy yet after {_estimates(noise)}",
            f"noise scale: too noisy yet ({noise.estimates:,})",
            "noise: too noisy yet",
        )
    scale, low, high = (units.count(round(end)) for end in (noise.scale, noise.low, noise.high))
    if batch_size > noise.high:
        gain = "larger batches gain little"
    elif batch_size < noise.low:
        gain = "larger batches gain"
    else:
        gain = "the batch is about as large"
    short = f"noise scale ≈ {scale} ({low}–{high})"
    return (
        f"gradient {short}, 90% sure by the last 39 estimates: {gain}",
        f"gradient {short}, 90% sure: {gain}",
        f"{short}: {gain}",
        short,
        f"noise ≈ {scale} ({low}–{high})",
        f"noise ≈ {scale}",
    )


def sentence(noise: Noise) -> str:
    """For a run's end, with all figures."""
    if noise.scale is None or noise.low is None or noise.high is None:
        return f"Gradient noise scale: too noisy after {_estimates(noise)}"
    return (
        f"Gradient noise scale {noise.scale:,.0f} images, 90% sure within {noise.low:,.0f} to "
        f"{noise.high:,.0f}, by {_estimates(noise)}"
    )


def _estimates(noise: Noise) -> str:
    return f"{noise.estimates:,} estimate{'' if noise.estimates == 1 else 's'}"
