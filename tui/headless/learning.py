"""How the loss of a run fell, in as many points as a picture has room for. Pure."""

from __future__ import annotations

from math import ceil

from vramtop.protocol.lesson.messages import LessonSample

_STRETCHES = 60


class LossCurve:
    """The mean training loss over stretches of equally many images, of `images` in all.

    A single batch's loss is luck, the more so the smaller it is. A step counts where it ends; one
    of more images than a stretch is a point of its own.
    """

    def __init__(self, images: int) -> None:
        self._apart = max(1, ceil(images / _STRETCHES))
        self._sums: dict[int, tuple[float, int, int]] = {}

    def add(self, sample: LessonSample) -> None:
        """Take in a step that has ended."""
        if sample.loss is None:
            return
        stretch = (sample.images - 1) // self._apart
        loss, rows, _ = self._sums.get(stretch, (0.0, 0, 0))
        self._sums[stretch] = (
            loss + sample.loss * sample.batch_size,
            rows + sample.batch_size,
            sample.images,
        )

    @property
    def points(self) -> list[tuple[int, float]]:
        """The images of each stretch's last step, and the stretch's mean loss."""
        return [(images, loss / rows) for loss, rows, images in self._sums.values()]
