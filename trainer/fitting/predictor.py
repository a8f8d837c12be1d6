"""What a training step will hold, found by running it with tensors that have no contents.

`Training.step` itself runs, watched by the same recording as a real step; no batch is made. For a
training on the host the tensors are fake tensors. For one on a device they are "meta" tensors: then
what an optimizer keeps on the host, such as Adam's step counters, stays on the host.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from vramtop.accounting.records import StepLog
from vramtop.accounting.reductions import sum_buffers
from vramtop.observer.ownership import Owners
from vramtop.observer.private import fake_tensor_mode, foreach_devices, skip_capture_check
from vramtop.observer.recording import Arguments, Keywords, Operator, Recording
from vramtop.protocol.lesson.messages import Data
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import AllocatorMemory, Anatomy
from vramtop.trainer.data.batches import Batch, Batches
from vramtop.trainer.data.datasets import Dataset, Images
from vramtop.trainer.training.ledger import RecordedStep
from vramtop.trainer.training.training import Training

from .gpu_traits import GpuTraits
from .replay import Replay

Shape = tuple[int, int, int]

_HOST = torch.device("cpu")
_META = torch.device("meta")


@dataclass(frozen=True)
class Prediction:
    """A step with the optimizer's state in place; `allocator` is None except for a CUDA device."""

    anatomy: Anatomy
    allocator: AllocatorMemory | None


class Predictor:
    """Steps of a simulated training on images of `shape`, in batches of any size.

    `device_type` is the type of the device that it would run on, `gpu` the traits of a CUDA device.
    """

    def __init__(
        self, settings: Settings, shape: Shape, device_type: str, gpu: GpuTraits | None
    ) -> None:
        self._gpu = gpu
        self._accumulation = settings.accumulation
        stand_in = _HOST if device_type == "cpu" else _META
        # One mode for all steps, since its first operators are slow. Meta tensors need none: in the
        # mode an optimizer's tensors on the host would be fake as well.
        self._mode: AbstractContextManager[object] = (
            fake_tensor_mode() if device_type == "cpu" else nullcontext()
        )
        blank = _Blank(shape, stand_in)
        with self._mode, stand_in:
            self._training = Training(settings, blank.dataset, stand_in, blank)
        for group in self._training.optimizer.param_groups:
            # PyTorch would choose by the parameters' device, which is not the real one here.
            group["foreach"] = device_type in foreach_devices()
        skip_capture_check(self._training.optimizer)  # a prediction needs no GPU

    def step(self, batch_size: int) -> tuple[Anatomy, StepLog]:
        """Take the next step; the first one makes the optimizer's state."""
        training = self._training
        owners = Owners((training.model,), (training.optimizer,))
        hook = None if self._gpu is None else _SumBuffers(self._gpu)
        recorded = RecordedStep(Recording(training.device, owners, hook=hook), training.device)
        with self._mode:
            training.step(batch_size, recorded, self._accumulation)
        return recorded.anatomy(), recorded.log()

    def forget(self) -> None:
        """Drop the optimizer's state, so that the next step makes it again."""
        self._training.optimizer.state.clear()


def predict(
    settings: Settings, shape: Shape, device_type: str, gpu: GpuTraits | None
) -> Prediction:
    """The second step of a training with these settings, in a fresh process.

    The first step makes the optimizer's state. The allocator's reserved bytes are exact to within
    one segment.
    """
    predictor = Predictor(settings, shape, device_type, gpu)
    replay = Replay(gpu) if gpu else None
    for _ in range(2):
        anatomy, log = predictor.step(settings.batch_size)
        allocator = replay.step(log) if replay else None
    return Prediction(anatomy, allocator)


class _Blank(Batches):
    """Batches without contents, in unlimited number."""

    def __init__(self, shape: Shape, device: torch.device) -> None:
        pixels = shape[0] * shape[1] * shape[2]
        none = Images(torch.empty(0, pixels, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
        data = Data("files", "", 0, 0, shape, ())
        self.dataset = Dataset(none, none, 0.0, 1.0, data)
        self._shape, self._device = shape, device
        super().__init__(self.dataset, seed=0)

    @property
    def remaining(self) -> int:
        """More than any batch."""
        return 2**63 - 1

    def next(self, batch_size: int) -> Batch:
        """A batch of any size."""
        inputs = torch.empty(batch_size, *self._shape, device=self._device)
        return Batch(inputs, torch.empty(batch_size, dtype=torch.int64, device=self._device))


class _SumBuffers:
    """An `OperatorHook` that adds the buffers inside sums, which no tensor shows."""

    def __init__(self, gpu: GpuTraits) -> None:
        self._gpu = gpu

    def before(
        self, recording: Recording, operator: Operator, args: Arguments, kwargs: Keywords
    ) -> None:
        """Nothing is known yet."""

    def after(self, recording: Recording, operator: Operator, args: Arguments) -> None:
        """Add the buffers if the operator was a sum over rows."""
        if operator is torch.ops.aten.sum.dim_IntList and isinstance(args[0], Tensor):
            rows, columns = args[0].shape
            gpu = self._gpu
            recording.pass_through(*sum_buffers(rows, columns, gpu.processors, gpu.threads))
