"""When rounds of estimates come, and how often their band holds the true scale."""

import pytest
import torch
from noise_estimates import per_sample, smoothed
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.training import noise
from vramtop.trainer.training.noise import NoiseSampler, estimate
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

CPU = torch.device("cpu")


def test_the_first_rounds_come_at_doublings_of_the_images(few, monkeypatch):
    monkeypatch.setattr(noise, "ROUND", 2)
    monkeypatch.setattr(noise, "SHARE", 1e-9)
    training, sampler, taken = Training(Settings(), few, CPU), NoiseSampler(), []
    for images in range(0, 60 * 600, 60):
        training.progress.images = images
        if sampler.due(64, images / 600):
            sampler.sample(training, 64, None)
            taken.append(images / 600)
    assert taken == [0.5, 0.6, 1, 1.1, 2, 2.1, 4, 4.1]


def test_the_band_holds_the_truth_of_real_gradients_nine_times_in_ten(few):
    """Rounds of 40 batches of 64 at one place in a training, drawn from 600 images' gradients."""
    training, random = Training(Settings(hidden=16), few, CPU), torch.Generator().manual_seed(0)
    for _ in range(5):
        training.step(60, Unwatched())
    training.batches.seek(1, 0)
    each = per_sample(training, training.batches.ahead(600)).float()
    gram = (each @ each.T).double()  # products of the gradients of any two images
    signal = gram.mean().item()
    truth = (gram.diagonal().mean().item() - signal) / signal
    rounds, right = 500, 0
    for _ in range(rounds):
        means = torch.zeros(80, 600, dtype=torch.float64)
        drawn = torch.randint(600, (80, 32), generator=random)
        means.scatter_add_(1, drawn, torch.full(drawn.shape, 1 / 32, dtype=torch.float64))
        products = means @ gram
        halves = (products * means).sum(1).view(40, 2)
        across = (products[0::2] * means[1::2]).sum(1)
        small, big = halves.mean(1), (halves.sum(1) + 2 * across) / 4
        pairs = zip(small.tolist(), big.tolist(), strict=True)
        band = smoothed(*(estimate(*norms, 32, 64) for norms in pairs)).band()
        right += band is not None and band.low <= truth <= band.high
    assert right / rounds == pytest.approx(0.9, abs=0.025)
