"""How much a batch's gradient differs from the next one's, and which batch size that suggests.

The simple noise scale of McCandlish et al. 2018, "An Empirical Model of Large-Batch Training":
B_simple = tr(Σ) / |G|², with G the gradient over all images and Σ the covariance of those of single
images. Batches far below it average little out for each image more; far above it, more images
hardly better the step. Both parts are estimated from gradients at two batch sizes without bias
(appendix A.1), and smoothed apart, since the mean of their ratios would not be the ratio.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext, suppress
from typing import NamedTuple

import torch
from torch import Tensor
from vramtop.observer.trace import NoAccount
from vramtop.protocol.lesson.messages import Noise
from vramtop.protocol.split import Split
from vramtop.trainer.data.batches import batch_bytes

from .out_of_memory import out_of_memory_facts
from .training import Training

SHARE = 0.003  # of the time, spent on estimates
ROUND = 40  # estimates before as many steps: about one place in the training
FIRST_SECONDS = 2.0  # until the first round, if half an epoch takes longer
EARLY_EPOCHS = 8  # in which rounds come sooner than the share allows, as little data is soon learnt
MOST_IMAGES = 512  # in an estimate: more of them would make it dearer than better
DECAY = 0.95  # of an estimate's weight with each that follows
LEAST = 8  # estimates, before their spread says how far they can be trusted
_DEVIATIONS = 1.645  # 90% of a normal distribution lie within so many around its mean


class Estimate(NamedTuple):
    """tr(Σ), the noise, and |G|², the signal; single ones may be far off, and |G|² negative."""

    noise: float
    signal: float


def estimate(small: float, big: float, small_batch: int, big_batch: int) -> Estimate:
    """From the squared norms of gradients, each the mean over a batch of that many images.

    Appendix A.1, equations of |𝒢|² and 𝒮. Where there are several gradients of the small batch
    size, `small` is the mean of their squared norms.
    """
    return Estimate(
        noise=(small - big) / (1 / small_batch - 1 / big_batch),
        signal=(big_batch * big - small_batch * small) / (big_batch - small_batch),
    )


class Band(NamedTuple):
    """The noise scale, in images, and the ends of its 90% confidence interval."""

    scale: float
    low: float
    high: float


class Smoothed:
    """Exponential moving means of noise and signal, and of their products, for their spread.

    Each estimate counts `DECAY` times as much as the one after it: about the latest
    (1 + DECAY) / (1 - DECAY) = 39 of them.
    """

    def __init__(self) -> None:
        self.count = 0
        # Each sum of weights is one, whatever the count: the first estimate does not weigh more.
        self._noise = self._signal = 0.0
        self._noise_square = self._signal_square = self._product = 0.0

    def add(self, new: Estimate) -> None:
        """Take one more estimate in."""
        self.count += 1
        part = (1 - DECAY) / (1 - DECAY**self.count)
        self._noise += part * (new.noise - self._noise)
        self._signal += part * (new.signal - self._signal)
        self._noise_square += part * (new.noise**2 - self._noise_square)
        self._signal_square += part * (new.signal**2 - self._signal_square)
        self._product += part * (new.noise * new.signal - self._product)

    @property
    def mean(self) -> Estimate:
        """The means so far."""
        return Estimate(self._noise, self._signal)

    def band(self) -> Band | None:
        """The ratio of the means, and its interval by Fieller's theorem (1954).

        None while that is unbounded: the signal cannot be told from zero yet.
        """
        if self.count < LEAST:
            return None
        noise, signal = self._noise, self._signal
        # The squared weights' sum makes the variance of a mean out of that of single estimates.
        squares = (1 - DECAY) / (1 + DECAY) * (1 + DECAY**self.count) / (1 - DECAY**self.count)
        variance = _DEVIATIONS**2 * squares / (1 - squares)
        a = noise**2 - variance * (self._noise_square - noise**2)
        b = noise * signal - variance * (self._product - noise * signal)
        c = signal**2 - variance * (self._signal_square - signal**2)
        if signal <= 0 or c <= 0:
            return None
        root = math.sqrt(max(0.0, b * b - a * c))
        return Band(noise / signal, max(0.0, (b - root) / c), (b + root) / c)


class NoiseSampler:
    """Estimates the noise between steps, in rounds, and takes `SHARE` of the time for it.

    The gradient shrinks as it is followed, so estimates from far apart are not averaged: a round's
    come before consecutive steps, and each round is told for itself. The first comes after half an
    epoch, and in the first `EARLY_EPOCHS` one at each doubling of the images, whatever the share:
    on little data the gradient is later too small to be told from its noise.

    The images are those of the coming step, the parameters those that it will find. Nothing of it
    outlasts the estimate: no gradient, no random state, no place in the data. One pass goes over
    all of the images and one over each half of them, one at a time, so that none needs more memory
    than the step.
    """

    def __init__(self) -> None:
        self._early = 0.5  # epochs after which the next early round begins
        self._warm = False
        self.changed()
        self._next = time.monotonic() + FIRST_SECONDS

    def changed(self) -> None:
        """Other settings: another round begins, and there may be room for it again."""
        self._smoothed = Smoothed()
        self._spent = self._next = 0.0
        self._peak: Split | None = None
        self.room = True

    def due(self, rows: int, epochs: float) -> bool:
        """Whether to estimate before the coming step on so many images; one has no halves.

        `epochs` is how often all images were trained on so far.
        """
        if not self.room or rows < 2:
            return False
        under_way = 0 < self._smoothed.count < ROUND
        return under_way or epochs >= self._early or time.monotonic() >= self._next

    def sample(self, training: Training, rows: int, limit: int | None) -> Noise | None:
        """One more estimate, from the coming step's images; at a round's end, what it says.

        None before that, and where there was no memory for it: then there is no `room` until
        something is changed. The `limit` in bytes is the one that the ledger keeps.
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
            # The very first warms PyTorch up, and its time says nothing of those that follow.
            self._spent += ended - began if self._warm else 0.0
            self._warm = True
        if math.isfinite(small) and math.isfinite(big):
            self._smoothed.add(estimate(small, big, images // 2, images))
        if 0 < self._smoothed.count < ROUND:
            return None
        self._next = ended + self._spent / SHARE
        return self._told(training, images) if self._smoothed.count else None

    def _norms(self, training: Training, images: int, limit: int | None) -> tuple[float, float]:
        """The squared norms for the halves, their mean, and for the whole.

        The first time these are recorded, to know what they take.
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
            # One wait for the device instead of three.
            whole, first, second = (sum(x * x for x in row) for row in torch.stack(norms).tolist())
        if recording is not None:
            with suppress(NoAccount):  # which is told of the steps
                self._peak = recording.anatomy().peak.split
        return (first + second) / 2, whole

    def _told(self, training: Training, images: int) -> Noise:
        mean, band = self._smoothed.mean, self._smoothed.band()
        return Noise(
            step=training.progress.steps,
            images=images,
            estimates=self._smoothed.count,
            noise=mean.noise,
            signal=mean.signal,
            scale=band and band.scale,
            low=band and band.low,
            high=band and band.high,
            peak=self._peak,
        )


def _norm(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """The norm of each parameter's gradient, float32 (parameters,), still on the device.

    The gradients themselves go to nobody, and are gone with the return.
    """
    loss = training.criterion(training.model(inputs), targets)
    gradients = torch.autograd.grad(loss, list(training.model.parameters()))
    return torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
