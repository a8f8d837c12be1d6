"""The gradient noise scale and what it means for the batch size, in one line."""

from __future__ import annotations

from vramtop.protocol.lesson.messages import Noise

from . import units


def line(noise: Noise | None, known: Noise | None, batch_size: int, width: int) -> str:
    """One line of at most `width` characters; empty where nothing is known or nothing fits.

    `known` is the latest message with a scale. It may be older than `noise`, the latest of all.
    """
    if noise is None:
        return ""
    texts = _texts(known, batch_size) if known else _unknown(batch_size)
    if known and known is not noise:
        # An older scale says nothing about the batch that runs now.
        texts = tuple(
            f"{text}{end}" for text in texts[3:] for end in (_SINCE, "; now too small to tell", "")
        )
    return next((text for text in texts if len(text) <= width), "")


_SINCE = "; now the gradient is too small to tell, 0 begins again"


def _unknown(batch_size: int) -> tuple[str, ...]:
    """Why the scale is not known and what helps, in fewer and fewer words."""
    return (
        f"gradient noise scale: batches of {batch_size:,} are too noisy to tell it; "
        "larger ones do, and fresh weights (0)",
        f"noise scale: too noisy at batch {batch_size:,}; + or 0 helps",
        "noise: too noisy yet",
    )


def _texts(noise: Noise, batch_size: int) -> tuple[str, ...]:
    """The scale and what it means, in fewer and fewer words."""
    assert noise.scale is not None
    assert noise.low is not None
    assert noise.high is not None
    scale, low, high = (units.count(round(end)) for end in (noise.scale, noise.low, noise.high))
    if batch_size > noise.high:
        gain = "larger batches gain little"
    elif batch_size < noise.low:
        gain = "larger batches gain"
    else:
        gain = "the batch is about as large"
    short = f"noise scale ≈ {scale} ({low}–{high})"
    place = f"{short} at step {noise.step:,}"
    return (
        f"gradient {place}, 90% sure: {gain}",
        f"{place}: {gain}",
        f"{short}: {gain}",
        place,
        short,
        f"noise ≈ {scale} ({low}–{high})",
        f"noise ≈ {scale}",
    )


def sentence(noise: Noise) -> str:
    """A sentence with all figures, for the end of a run."""
    if noise.scale is None or noise.low is None or noise.high is None:
        return f"Gradient noise scale: too noisy after {_estimates(noise)}"
    return (
        f"Gradient noise scale {noise.scale:,.0f} images, 90% sure within {noise.low:,.0f} to "
        f"{noise.high:,.0f}, by {_estimates(noise)}"
    )


def _estimates(noise: Noise) -> str:
    return f"{noise.estimates:,} estimate{'' if noise.estimates == 1 else 's'}"
