"""The loss of a run, in as many points as a picture has room for. Pure."""

from __future__ import annotations

from math import ceil

from vramtop.protocol.lesson.messages import LessonSample

_STRETCHES = 60


class LossCurve:
    """The mean training loss over stretches of equally many images; a run has `images` in all.

    The loss of a single batch varies by chance, most of all that of a small one. A step belongs to
    the stretch in which it ends. A step of more images than a stretch is a point of its own.
    """

    def __init__(self, images: int) -> None:
        self._length = max(1, ceil(images / _STRETCHES))
        self._sums: dict[int, tuple[float, int, int]] = {}

    def add(self, sample: LessonSample) -> None:
        """Add a step that has ended."""
        if sample.loss is None:
            return
        stretch = (sample.images - 1) // self._length
        loss, count, _ = self._sums.get(stretch, (0.0, 0, 0))
        self._sums[stretch] = (
            loss + sample.loss * sample.batch_size,
            count + sample.batch_size,
            sample.images,
        )

    @property
    def points(self) -> list[tuple[int, float]]:
        """For each stretch: the images trained on at its end, and its mean loss."""
        return [(images, loss / count) for loss, count, images in self._sums.values()]
