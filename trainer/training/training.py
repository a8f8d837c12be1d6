"""A training: the model, its optimizer, its place in the data, and a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from vramtop.observer.private import tree_map_only
from vramtop.protocol.lesson.settings import DatasetName, OptimizerName, Settings
from vramtop.protocol.messages import Layer
from vramtop.trainer.data.batches import Batch, Batches, batch_bytes, in_order
from vramtop.trainer.data.datasets import Dataset

from . import models, optimizers
from .ledger import Ledger
from .watcher import Unwatched, Watcher

ModelKey = tuple[DatasetName, int]


class Progress(msgspec.Struct):
    """How far a training has come: steps and images since its start."""

    steps: int = 0
    images: int = 0


@dataclass(frozen=True)
class Snapshot:
    """All that is needed to go on from one point of a training, in host memory."""

    settings: Settings
    model: dict[str, Any]
    optimizer: dict[str, Any]
    epoch: int
    position: int
    progress: Progress
    made_at: int | None = None  # batch size of the step that made the optimizer's state


@dataclass(frozen=True)
class Score:
    """The test data's mean loss and the share of images classified rightly."""

    loss: float
    accuracy: float
    images: int


class Training:
    """Trains an MLP on `dataset`, on `device`, as `settings` say.

    The batch size is an argument of each step, since the model does not depend on it. `batches`
    replaces the dataset's own batches.
    """

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        device: torch.device,
        batches: Batches | None = None,
    ) -> None:
        self.dataset = dataset
        self.device = device
        self.model_key: ModelKey | None = model_key(settings)  # None once its memory is freed
        self.progress = Progress()
        self.batches = batches or Batches(dataset, settings.seed)
        self.model = models.build(dataset.data.shape, settings.hidden, settings.seed)
        if device.type != "cpu":  # the model is made on the CPU
            self.model.to(device)
        self.use_optimizer(settings.optimizer, settings.rate)
        self.criterion = nn.CrossEntropyLoss()
        # The place in the data, as epoch and position, where the last step began.
        self._before_step = self.batches.epoch, self.batches.position
        # Whether the last step failed amid its update: some parameters changed, others did not.
        self.cut_short = False
        self.made_at: int | None = None

    def use_optimizer(self, name: OptimizerName, rate: float) -> None:
        """Go on with another optimizer; its state is empty, the parameters stay."""
        self.optimizer = optimizers.build(name, self.model.parameters(), rate)
        self.ledger = Ledger(self.device, [self.model], [self.optimizer])

    def use_rate(self, rate: float) -> None:
        """Go on with another learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def layers(self) -> tuple[Layer, ...]:
        """The layer table."""
        return models.layer_table(self.model, self.dataset.data.shape)

    @property
    def epoch(self) -> int:
        """The epoch of the last step, counted from 1."""
        return self.batches.epoch - self.epoch_ended

    @property
    def position(self) -> int:
        """How many images of that epoch have been trained on."""
        return len(self.dataset.train) if self.epoch_ended else self.batches.position

    @property
    def epoch_ended(self) -> bool:
        """Whether the last step was its epoch's last."""
        return self.progress.steps > 0 and self.batches.position == 0

    def step(
        self, batch_size: int, watcher: Watcher, accumulation: int = 1, most: int | None = None
    ) -> Tensor:
        """Take a training step; returns the mean loss of its images, float32 (), on the device.

        The step takes `accumulation` batches of `batch_size` images, at most what the epoch has
        left, and at most `most` images. Each batch is weighted by its images, so the accumulated
        gradient is that of all images together. A batch, its output and its loss are freed before
        the next batch is loaded; otherwise they would raise the peak by a whole batch. Those of the
        last batch live to the end of the step.
        """
        self._before_step = self.batches.epoch, self.batches.position
        self.cut_short = False
        images = min(batch_size * accumulation, self.batches.remaining)
        if most is not None:
            images = min(images, most)
        held: tuple[Tensor, ...] = ()
        mean: Tensor | None = None
        with watcher:
            for start in range(0, images, batch_size):
                held = ()
                held = self._add(min(batch_size, images - start), images, watcher)
                mean = held[-1] if mean is None else mean.add_(held[-1])
            watcher.begin("optimizer")
            if not self.optimizer.state:
                self.made_at = batch_size
            self.cut_short = True
            self.optimizer.step()
            self.cut_short = False
            watcher.begin("zero_grad")
            self.optimizer.zero_grad()
        self._before_step = self.batches.epoch, self.batches.position
        self.progress.steps += 1
        self.progress.images += images
        assert mean is not None
        return mean

    def _add(self, rows: int, images: int, watcher: Watcher) -> tuple[Tensor, ...]:
        """Add the gradients of the next `rows` images, out of the step's `images`.

        Returns the tensors to keep: the batch, the output, and its part of the mean loss.
        """
        watcher.begin("load")
        watcher.expect(batch_bytes(self.dataset.pixels, rows))
        with watcher.aside():
            batch = self.batches.next(rows)
        inputs = batch.inputs.to(self.device)
        targets = batch.targets.to(self.device)
        watcher.batch(inputs=inputs, targets=targets)
        watcher.begin("forward")
        output = self.model(inputs)
        watcher.loss()
        loss: Tensor = self.criterion(output, targets)
        if rows < images:
            loss = loss * (rows / images)
        watcher.begin("backward")
        loss.backward()  # type: ignore[no-untyped-call]
        return inputs, targets, output, loss.detach()

    @torch.no_grad()
    def evaluate(self, batch_size: int, first: Watcher) -> Score:
        """Evaluate the model on the test data; `first` watches the first batch."""
        self.model.eval()
        loss, right = 0.0, 0
        watcher: Watcher = first
        rows = min(batch_size, len(self.dataset.test))
        try:
            first.expect(batch_bytes(self.dataset.pixels, rows))
            for batch in in_order(self.dataset, self.dataset.test, batch_size):
                batch_loss, batch_right = self._score(batch, watcher)
                loss += batch_loss * len(batch.targets)
                right += batch_right
                watcher = Unwatched()
        finally:
            self.model.train()
        images = len(self.dataset.test.targets)
        return Score(loss / images, right / images, images)

    def _score(self, batch: Batch, watcher: Watcher) -> tuple[float, int]:
        """Mean loss and number of right answers; on return the batch's tensors are freed."""
        with watcher:
            watcher.begin("load")
            inputs = batch.inputs.to(self.device)
            targets = batch.targets.to(self.device)
            watcher.batch(inputs=inputs, targets=targets)
            watcher.begin("forward")
            output = self.model(inputs)
            loss = self.criterion(output, targets)
            right = (output.argmax(1) == targets).sum()
        return loss.item(), int(right.item())

    def drop_step(self) -> None:
        """Undo the step that failed, except for an update that was cut short."""
        self.optimizer.zero_grad()
        self.batches.seek(*self._before_step)

    def leave(self) -> None:
        """Free all memory on the device; this training cannot go on after that."""
        self.model_key = None
        self.optimizer.state.clear()
        self.model.to("meta")

    def evict(self) -> None:
        """Free all memory until `restore` or `readmit` allocates it again.

        Tensors keep their shapes, but not their contents.
        """
        self.optimizer.zero_grad()
        self.optimizer.state.clear()
        for storage in self._storages():
            storage.resize_(0)

    def readmit(self) -> None:
        """Allocate the memory of evicted parameters again, in order, with undefined contents."""
        for tensor in self.model.state_dict().values():
            storage = tensor.untyped_storage()
            if storage.nbytes() == 0:
                storage.resize_(tensor.nbytes)

    def _storages(self) -> list[torch.UntypedStorage]:
        return [tensor.untyped_storage() for tensor in self.model.state_dict().values()]

    def snapshot(self, settings: Settings) -> Snapshot:
        """The training as it is now, copied to host memory."""
        return Snapshot(
            settings=settings,
            model=_on_host(self.model.state_dict()),
            optimizer=_on_host(self.optimizer.state_dict()),
            epoch=self.batches.epoch,
            position=self.batches.position,
            progress=msgspec.structs.replace(self.progress),
            made_at=self.made_at,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the snapshot, to the bit; dataset, model and optimizer must match it."""
        self.readmit()
        self.model.load_state_dict(snapshot.model)
        # Freed first: there may be no room for the old state beside the restored one.
        self.optimizer.state.clear()
        self.optimizer.load_state_dict(_on_host(snapshot.optimizer))
        self._go_to(snapshot)

    def refill(self, snapshot: Snapshot) -> None:
        """Like `restore`, but without any allocation: the optimizer already has its state."""
        self.model.load_state_dict(snapshot.model)
        parameters = list(self.model.parameters())
        for index, saved in snapshot.optimizer["state"].items():
            state = self.optimizer.state[parameters[index]]
            for name, value in saved.items():
                if isinstance(value, Tensor):
                    state[name].copy_(value)
        self._go_to(snapshot)

    def _go_to(self, snapshot: Snapshot) -> None:
        self.batches.seek(snapshot.epoch, snapshot.position)
        self.progress = msgspec.structs.replace(snapshot.progress)
        self.made_at = snapshot.made_at
        self.cut_short = False


def model_key(settings: Settings) -> ModelKey:
    """What must match for parameters to carry over."""
    return settings.dataset, settings.hidden


def _on_host(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of the nested state with every tensor in host memory."""
    copied: dict[str, Any] = tree_map_only(
        Tensor, lambda tensor: tensor.detach().to("cpu", copy=True), state
    )
    return copied
