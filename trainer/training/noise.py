"""The gradient noise scale: how much gradients of batches differ, and the batch size it suggests.

The simple noise scale of McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", is
B_simple = tr(Σ) / |G|². G is the gradient over all images, Σ the covariance of the gradients of
single images. Far below this batch size, more images improve a step almost in proportion; far above
it they hardly improve it. Unbiased estimates of both parts come from gradients at two batch sizes
(appendix A.1). The parts are smoothed separately, since a mean of ratios is not the ratio of means.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext, suppress
from typing import NamedTuple

import torch
from torch import Tensor
from vramtop.accounting.account import NoAccount
from vramtop.protocol.lesson.messages import Noise
from vramtop.protocol.split import Split
from vramtop.trainer.data.batches import batch_bytes

from .out_of_memory import out_of_memory_facts
from .training import Training

SHARE = 0.003  # the share of time spent on estimates
ROUND = 40  # estimates in a round, one before each of as many consecutive steps
FIRST_SECONDS = 2.0  # until the first round, if half an epoch takes longer
EARLY_EPOCHS = 8  # during these, rounds may exceed the share: a small dataset is learnt quickly
MOST_IMAGES = 512  # in an estimate; more would cost more than they improve it
DECAY = 0.95  # an estimate's weight shrinks by this factor with each later one
LEAST = 8  # estimates needed for a confidence interval
_DEVIATIONS = 1.645  # standard deviations around the mean of a normal distribution that hold 90%


class Estimate(NamedTuple):
    """`variance` is tr(Σ), `signal` is |G|². One estimate can be far off, and |G|² negative."""

    variance: float
    signal: float


def estimate(small: float, big: float, small_batch: int, big_batch: int) -> Estimate:
    """An estimate from the squared norms of gradients at two batch sizes.

    Appendix A.1, equations of |𝒢|² and 𝒮. Each gradient is the mean over its batch. With several
    gradients at the small batch size, `small` is the mean of their squared norms.
    """
    return Estimate(
        variance=(small - big) / (1 / small_batch - 1 / big_batch),
        signal=(big_batch * big - small_batch * small) / (big_batch - small_batch),
    )


class Band(NamedTuple):
    """The noise scale, in images, and the ends of its 90% confidence interval."""

    scale: float
    low: float
    high: float


class Smoothed:
    """Exponential moving means of variance and signal, and of their products for the spread.

    Each estimate has `DECAY` times the weight of the next one. That is as good as the plain mean of
    the latest (1 + DECAY) / (1 - DECAY) = 39.
    """

    def __init__(self) -> None:
        self.count = 0
        # Weights sum to one at any count, so that the first estimate weighs no more than others.
        self._variance = self._signal = 0.0
        self._variance_square = self._signal_square = self._product = 0.0

    def add(self, new: Estimate) -> None:
        """Add one estimate."""
        self.count += 1
        part = (1 - DECAY) / (1 - DECAY**self.count)
        self._variance += part * (new.variance - self._variance)
        self._signal += part * (new.signal - self._signal)
        self._variance_square += part * (new.variance**2 - self._variance_square)
        self._signal_square += part * (new.signal**2 - self._signal_square)
        self._product += part * (new.variance * new.signal - self._product)

    @property
    def mean(self) -> Estimate:
        """The means so far."""
        return Estimate(self._variance, self._signal)

    def band(self) -> Band | None:
        """The ratio of the means, and its interval by Fieller's theorem (1954).

        None while the interval is unbounded, because the signal may still be zero.
        """
        if self.count < LEAST:
            return None
        variance, signal = self._variance, self._signal
        # The sum of the squared weights relates the spread of a mean to that of single estimates.
        squares = (1 - DECAY) / (1 + DECAY) * (1 + DECAY**self.count) / (1 - DECAY**self.count)
        spread = _DEVIATIONS**2 * squares / (1 - squares)
        a = variance**2 - spread * (self._variance_square - variance**2)
        b = variance * signal - spread * (self._product - variance * signal)
        c = signal**2 - spread * (self._signal_square - signal**2)
        if signal <= 0 or c <= 0:
            return None
        root = math.sqrt(max(0.0, b * b - a * c))
        return Band(variance / signal, max(0.0, (b - root) / c), (b + root) / c)


class NoiseSampler:
    """Estimates the noise scale between steps, in rounds, in `SHARE` of the time.

    The gradient shrinks during training, so only estimates close together are averaged: those of a
    round come before consecutive steps, and each round is reported by itself. The first round comes
    after half an epoch. During the first `EARLY_EPOCHS` there is one at each doubling of the
    images, whatever the share: on a small dataset the gradient later vanishes in its noise.

    An estimate uses the images of the coming step and the present parameters. It changes neither
    gradients nor the random state nor the place in the data. One pass goes over all of the images
    and one over each half, one after the other, so that none needs more memory than the step.
    """

    def __init__(self) -> None:
        self._early = 0.5  # epochs after which the next early round begins
        self._warm = False
        self.changed()
        self._next = time.monotonic() + FIRST_SECONDS

    def changed(self) -> None:
        """Begin another round after a change of settings; there may be room for it again."""
        self._smoothed = Smoothed()
        self._spent = self._next = 0.0
        self._peak: Split | None = None
        self.room = True

    def due(self, rows: int, epochs: float) -> bool:
        """Whether to estimate before the coming step on `rows` images; it takes two at least.

        `epochs` is the number of epochs trained so far, with fractions.
        """
        if not self.room or rows < 2:
            return False
        under_way = 0 < self._smoothed.count < ROUND
        return under_way or epochs >= self._early or time.monotonic() >= self._next

    def sample(self, training: Training, rows: int, limit: int | None) -> Noise | None:
        """Make one estimate from the coming step's images; at a round's end, return its result.

        None before a round's end, and where there was no memory. In that case `room` is False until
        the settings change. The ledger checks the `limit` in bytes.
        """
        began = time.monotonic()
        if self._smoothed.count == ROUND:
            self._smoothed, self._spent = Smoothed(), 0.0
        if self._smoothed.count == 0:
            epochs = training.progress.images / len(training.dataset.train)
            self._early = 2 * max(epochs, 0.5) if epochs < EARLY_EPOCHS / 2 else math.inf
        images = min(rows, MOST_IMAGES) // 2 * 2
        try:
            small, big = self._norms(training, images, limit)
        except RuntimeError as error:
            out_of_memory_facts(error, None)
            self.room = False
            return None
        finally:
            ended = time.monotonic()
            # The very first estimate warms PyTorch up; its time does not count.
            self._spent += ended - began if self._warm else 0.0
            self._warm = True
        if math.isfinite(small) and math.isfinite(big):
            self._smoothed.add(estimate(small, big, images // 2, images))
        if 0 < self._smoothed.count < ROUND:
            return None
        self._next = ended + self._spent / SHARE
        return self._message(training, images) if self._smoothed.count else None

    def _norms(self, training: Training, images: int, limit: int | None) -> tuple[float, float]:
        """The mean of the halves' squared norms, and that of the whole.

        The first estimate after a change is recorded, so that its memory is known.
        """
        recording = training.ledger.record(limit) if self._peak is None else None
        if recording is not None:
            recording.expect(batch_bytes(training.dataset.pixels, images))
        batch = training.batches.ahead(images)
        with recording or nullcontext():
            inputs = batch.inputs.to(training.device)
            targets = batch.targets.to(training.device)
            if recording is not None:
                recording.batch(inputs=inputs, targets=targets)
                recording.begin("forward")
            half = images // 2
            parts = (slice(images), slice(half), slice(half, images))
            norms = [_norm(training, inputs[part], targets[part]) for part in parts]
            # One transfer, so that the device is waited for once.
            whole, first, second = (sum(x * x for x in row) for row in torch.stack(norms).tolist())
        if recording is not None:
            with suppress(NoAccount):  # reported with the steps
                self._peak = recording.anatomy().peak.split
        return (first + second) / 2, whole

    def _message(self, training: Training, images: int) -> Noise:
        mean, band = self._smoothed.mean, self._smoothed.band()
        return Noise(
            step=training.progress.steps,
            images=images,
            estimates=self._smoothed.count,
            noise=mean.variance,
            signal=mean.signal,
            scale=band and band.scale,
            low=band and band.low,
            high=band and band.high,
            peak=self._peak,
        )


def _norm(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """The norm of each parameter's gradient, float32 (parameters,), still on the device.

    The gradients themselves are freed on return.
    """
    loss = training.criterion(training.model(inputs), targets)
    gradients = torch.autograd.grad(loss, list(training.model.parameters()))
    return torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
