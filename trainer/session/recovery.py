"""How a training goes on whose settings worked, and have no room any more."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import msgspec
import torch
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.device import memory
from vramtop.trainer.fitting.fit import Fitting
from vramtop.trainer.fitting.placing import place
from vramtop.trainer.fitting.predictor import Shape
from vramtop.trainer.fitting.reductions import card
from vramtop.trainer.training.shortage import Shortage, shortage
from vramtop.trainer.training.training import Snapshot, Training


class Recovery:
    """The orders of allocation in which these settings may fit again, each to be tried once.

    What fits a CUDA device depends on where the model and the optimizer's state lie, so first of
    all they come back as in a training that starts with this batch size, then as they really came.
    """

    def __init__(self, good: Snapshot) -> None:
        sizes = [good.settings.batch_size, good.made_at]
        self._left = deque(dict.fromkeys(size for size in sizes if size is not None))

    def place(self, training: Training, here: Snapshot, lack: Shortage) -> Shortage | None:
        """Be `here` again, in the next order that has room for it; None if there was one.

        Otherwise the latest shortage, and `training` has to be restored.
        """
        while training.device.type == "cuda" and self._left:
            try:
                place(training, here, self._left.popleft(), here.settings.accumulation)
            except RuntimeError as error:
                lack = shortage(error, None)
            else:
                return None
        return lack


def smaller(settings: Settings, shape: Shape, device: torch.device) -> int:
    """The batch size to go on with where `settings` do not fit; 0 where there is none.

    The largest that is predicted to fit in whatever order; half of theirs where the prediction sees
    nothing that stands against them.
    """
    size = settings.batch_size
    limit = memory.limit(device, settings.budget)
    try:
        fitting = Fitting(settings, shape, device.type, card(device), limit)
        if not fitting.judge(size).fits:
            return fitting.largest(size - 1)
    except Exception:  # a prediction is not worth the training
        return size // 2
    return size // 2


def with_batch(snapshot: Snapshot, batch_size: int) -> Snapshot:
    """The same training with another batch size."""
    settings = msgspec.structs.replace(snapshot.settings, batch_size=batch_size)
    return replace(snapshot, settings=settings)
