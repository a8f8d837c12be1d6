"""The settings in force, the training that they apply to, and what changes with them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from vramtop.protocol.lesson.checks import check
from vramtop.protocol.lesson.messages import Predicted
from vramtop.protocol.lesson.settings import DatasetName, Settings
from vramtop.protocol.messages import Device
from vramtop.trainer.data.datasets import Dataset
from vramtop.trainer.device import memory
from vramtop.trainer.fitting.gpu_traits import gpu_traits
from vramtop.trainer.fitting.judge import prediction_for
from vramtop.trainer.fitting.largest import LargestFitSearch, largest_below
from vramtop.trainer.fitting.placing import place
from vramtop.trainer.training.ledger import RecordedStep
from vramtop.trainer.training.noise import NoiseSampler
from vramtop.trainer.training.training import Snapshot, Training, model_key

from .evaluation import Evaluation
from .reports import Reports
from .watching import Schedule


class Setup:
    """A training on `device` with its settings. Begins, changes, frees and restores it.

    `load` gives the dataset of a name and may raise `DataError`. Without a `snapshot` the training
    begins with its initial parameters. With `observe` steps are recorded, and the gradient's noise
    is estimated. What allocates raises PyTorch's error where there is no room. Each change of
    settings is reported; `described` is what is known of the device.
    """

    def __init__(
        self,
        settings: Settings,
        device: torch.device,
        load: Callable[[DatasetName], Dataset],
        reports: Reports,
        *,
        described: Device,
        snapshot: Snapshot | None,
        observe: bool,
    ) -> None:
        self.device = device
        self._load = load
        self._reports = reports
        self._described = described
        self._observe = observe
        self.settings = msgspec.structs.replace(settings, device=str(device))
        self.check(self.settings)
        self.enforce_budget()
        self.training = Training(self.settings, load(settings.dataset), device)
        if snapshot is not None:
            self.training.restore(snapshot)
            self.training.use_rate(settings.rate)
        self.schedule = Schedule(settings.accumulation)
        self._noise_sampler = NoiseSampler()
        self._evaluation = Evaluation(reports, observe=observe)
        reports.settings(self.settings, described, self.training, fresh=True)

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a CUDA device, whose allocator keeps segments."""
        return self.device.type == "cuda"

    def check(self, settings: Settings) -> None:
        """Raise `SettingError` or `DataError` unless these settings are possible."""
        dataset = self._load(settings.dataset)
        check(settings, pixels=dataset.pixels, images=len(dataset.train))

    def enforce_budget(self) -> None:
        """Hold the device to the budget in force; `limit` is what the ledger must check itself."""
        self.limit = memory.enforce(self.device, self.settings.budget)

    def adopt(self, new: Settings) -> None:
        """Go on with other settings; the parameters stay unless the model changes."""
        old, self.settings = self.settings, new
        self.enforce_budget()
        if self.training.model_key != model_key(new):
            self.training = Training(new, self._load(new.dataset), self.device)
            self._noise_sampler = NoiseSampler()
        elif new.optimizer != old.optimizer:
            self.training.use_optimizer(new.optimizer, new.rate)
        else:
            self.training.use_rate(new.rate)
        same_evaluation = msgspec.structs.replace(
            old,
            batch_size=new.batch_size,
            accumulation=new.accumulation,
            learning_rate=new.learning_rate,
        )
        if same_evaluation != new:
            self._evaluation.forget()
        self.unsettle()
        self._noise_sampler.changed()
        self._reports.settings(new, self._described, self.training)

    # ---- what is observed -------------------------------------------------------------------

    def recording(self, *, full: bool, walked: bool) -> RecordedStep | None:
        """The recording of the coming step, if it is due; a `walked` step is always recorded.

        A `full` step takes as many images as the settings say, not an epoch's or the goal's rest.
        """
        if not self._observe or not (walked or self.schedule.due(full=full)):
            return None
        # Once settled, sizes stay as they were, so the limit need not be checked again.
        return self.training.ledger.record(None if self.schedule.settled else self.limit)

    def estimate_noise(self, rows: int) -> None:
        """Estimate the gradient's noise from the `rows` images that come next, if that is due."""
        training, sampler = self.training, self._noise_sampler
        epochs = training.progress.images / len(training.dataset.train)
        if self._observe and self.schedule.settled and sampler.due(rows, epochs):
            noise = sampler.sample(training, rows, self.limit)
            if noise is not None or not sampler.room:
                self._reports.noise(noise)

    def evaluate(self) -> None:
        """Evaluate the model on the test data and report the score."""
        self._evaluation.run(self.training, self.limit)

    def unsettle(self) -> None:
        """Record the coming steps, until it is known again what they hold."""
        self.schedule.unsettle(self.settings.accumulation)

    # ---- snapshots and memory ---------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The training as it is now, with its settings, in host memory."""
        return self.training.snapshot(self.settings)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot whose settings are in force."""
        self.training.restore(snapshot)

    def place(self, snapshot: Snapshot, order: int) -> None:
        """Go on from a snapshot whose settings are in force, its memory allocated in this order.

        See `placing`. Where that raises, the training must be restored before it can go on.
        """
        place(self.training, snapshot, order, self.settings.accumulation)

    @property
    def cut_short(self) -> bool:
        """Whether the last step failed amid its update: some parameters changed, others did not."""
        return self.training.cut_short

    def drop_step(self) -> None:
        """Undo the step that failed, except for an update that was cut short."""
        self.training.drop_step()

    def release(self) -> None:
        """Give the allocator's cache back to the driver."""
        memory.release(self.device)

    def make_room(self, settings: Settings) -> None:
        """Free what a snapshot with these settings does not need in place.

        A different model is freed altogether. On a CUDA device all memory is freed, so that what
        fits does not depend on where tensors lay before.
        """
        if self.training.model_key != model_key(settings):
            self.training.leave()
        elif self.on_cuda:
            self.training.evict()
        self.release()

    def has(self, settings: Settings) -> bool:
        """Whether these settings are in force, and the training still has its model."""
        return settings == self.settings and self.training.model_key is not None

    # ---- predictions ------------------------------------------------------------------------

    def predict_larger(self) -> Predicted | None:
        """What twice the batch size would hold, or as many images as there are; None for no more.

        Nothing is allocated for it.
        """
        settings, dataset = self.settings, self.training.dataset
        size = min(2 * settings.batch_size, len(dataset.train) // settings.accumulation)
        if size <= settings.batch_size:
            return None
        larger = msgspec.structs.replace(settings, batch_size=size)
        return prediction_for(larger, dataset.data.shape, self.device, gpu_traits(self.device))

    def smaller_batch_size(self) -> int:
        """The batch size to go on with where the present one does not fit; 0 where there is none.

        It is the largest one predicted to fit, or half the present one where the prediction does
        not explain the failure.
        """
        shape = self.training.dataset.data.shape
        fitting = largest_below(self.settings, shape, self.device)
        return self.settings.batch_size // 2 if fitting is None else fitting

    def largest_fit_search(self, failed: Settings) -> LargestFitSearch:
        """The search for the batch size that would have fitted, for settings that failed."""
        dataset = self._load(failed.dataset)
        most = len(dataset.train) // failed.accumulation
        return LargestFitSearch(failed, dataset.data.shape, self.device, most)
