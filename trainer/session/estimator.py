"""A worker that only predicts: it loads no data and allocates nothing on any device."""

from __future__ import annotations

import os
import queue

import torch
from vramtop.protocol.lesson.commands import Predict, Start
from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.messages import VERSION, Answer, Device, Failed, Hello
from vramtop.protocol.wire.framing import ToWorker
from vramtop.trainer.data.sources import SHAPES
from vramtop.trainer.device.devices import cuda, describe, resolve
from vramtop.trainer.fitting.gpu_traits import ASSUMED, GpuTraits, gpu_traits
from vramtop.trainer.fitting.judge import prediction_for

from .outbox import Outbox


def estimate(start: Start, outbox: Outbox, inbox: queue.SimpleQueue[ToWorker | None]) -> int:
    """Answer each `Predict`, for the device that `start` names, until the inbox gives None.

    Returns the exit code, which is 2 for an unusable device.
    """
    # Nothing is computed, so threads would only cost their start.
    torch.set_num_threads(1)
    try:
        device, described, gpu = _device(start)
    except SettingError as error:
        outbox.post(Failed(str(error), usage=True))
        return 2
    outbox.post(Hello(VERSION, os.getpid(), str(torch.__version__), described))
    while isinstance(command := inbox.get(), Predict):
        settings = command.settings
        outbox.post(prediction_for(settings, SHAPES[settings.dataset], device, gpu))
        outbox.post(Answer(command.command, None))
    return 0


def _device(start: Start) -> tuple[torch.device, Device, GpuTraits | None]:
    """The device that the step would run on; without a CUDA device, "cuda" is an assumed GPU."""
    name = start.settings.device
    if name == "cuda" and not cuda().devices:
        name = f"as on one {ASSUMED}: there is no CUDA device here"
        return torch.device("cuda"), Device("cuda", name, None, missing=cuda().missing), GpuTraits()
    device = resolve(name, start.free)
    return device, describe(device, name), gpu_traits(device)
