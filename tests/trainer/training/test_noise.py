"""The noise scale beside gradients of single images; estimating it changes no training."""

from random import Random
from statistics import NormalDist, mean

import pytest
import torch
from driven import running, whole
from noise_estimates import per_sample, smoothed
from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample, Noise
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Note
from vramtop.trainer.training import noise
from vramtop.trainer.training.noise import DECAY, Estimate, NoiseSampler, estimate
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

CPU = torch.device("cpu")
P = 407_080


@pytest.fixture
def always(monkeypatch):
    """Makes an estimate before every step, each a round by itself."""
    monkeypatch.setattr(noise, "SHARE", float("inf"))
    monkeypatch.setattr(noise, "FIRST_SECONDS", 0)
    monkeypatch.setattr(noise, "ROUND", 1)


# ---- the estimate -------------------------------------------------------------------------------


def test_variance_and_signal_are_found_from_their_expected_norms():
    """|G|² + tr(Σ)/B is the expected squared norm at batch size B."""
    signal, trace = 0.5, 120.0
    found = estimate(signal + trace / 32, signal + trace / 64, 32, 64)
    assert found == pytest.approx(Estimate(variance=trace, signal=signal))


def test_the_norms_are_those_of_the_means_of_per_sample_gradients(few):
    training = Training(Settings(hidden=16), few, CPU)
    each = per_sample(training, training.batches.ahead(64))
    whole, *halves = (part.mean(0).square().sum().item() for part in (each, each[:32], each[32:]))
    small, big = NoiseSampler()._norms(training, 64, None)
    assert small == pytest.approx(mean(halves), rel=1e-5)
    assert big == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("steps", [0, 10])
def test_over_many_batches_it_agrees_with_a_direct_estimate_from_per_sample_gradients(few, steps):
    training = Training(Settings(hidden=16), few, CPU)
    for _ in range(steps):
        training.step(60, Unwatched())
    each = per_sample(training, training.batches.ahead(600))
    trace = each.var(0).sum().item()
    # The images are a sample themselves, and part of their mean's norm is noise.
    direct = Estimate(trace, each.mean(0).square().sum().item() - trace / 600)

    sampler, found = NoiseSampler(), []
    for _ in range(90):
        small, big = sampler._norms(training, 200, None)
        found.append(estimate(small, big, 100, 200))
        training.batches.next(200)

    sampled = Estimate(mean(e.variance for e in found), mean(e.signal for e in found))
    assert sampled.variance == pytest.approx(direct.variance, rel=0.03)
    assert sampled.signal == pytest.approx(direct.signal, rel=0.1)


# ---- its smoothing and its band -----------------------------------------------------------------


def test_each_estimate_weighs_a_twentieth_less_than_the_next():
    means = smoothed((100, 1), (200, 3)).mean
    assert means.variance == pytest.approx((0.95 * 100 + 200) / 1.95)
    assert means.signal == pytest.approx((0.95 * 1 + 3) / 1.95)


def test_fewer_than_eight_estimates_have_no_band():
    assert smoothed(*[(100, 1)] * 7).band() is None
    assert smoothed(*[(100, 1)] * 8).band() == pytest.approx((100, 100, 100))


@pytest.mark.parametrize("signals", [(-1, -2), (0, 0), (3, -2)])
def test_a_signal_that_cannot_be_distinguished_from_zero_gives_no_scale(signals):
    first, second = signals
    assert smoothed(*[(100, first), (110, second)] * 10).band() is None


def test_the_band_holds_the_ratio_of_the_means_and_narrows_with_more_estimates():
    pairs = [(90, 1.5), (110, 0.5), (105, 1.2), (95, 0.8)]
    few, many = smoothed(*pairs * 2).band(), smoothed(*pairs * 20).band()
    for band in (few, many):
        assert band.low < band.scale < band.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_band_ends_where_a_test_at_ten_per_cent_begins_to_refuse():
    """Fieller's theorem: at both ends t is the normal's 95% quantile.

    A ratio ρ is refused where the weighted mean of noise - ρ · signal is too far from zero,
    measured in standard deviations of that mean.
    """
    random = Random(7)
    pairs = [(random.gauss(100, 30), random.gauss(1, 0.3)) for _ in range(60)]
    weights = [DECAY**age for age in reversed(range(60))]
    whole, squares = sum(weights), sum(weight**2 for weight in weights)

    def deviations(ratio):
        off = [noise - ratio * signal for noise, signal in pairs]
        center = sum(weight * one for weight, one in zip(weights, off, strict=True)) / whole
        spread = sum(weight * (one - center) ** 2 for weight, one in zip(weights, off, strict=True))
        variance = spread / whole / (1 - squares / whole**2)  # of a single one, unbiased
        return center / (variance * squares / whole**2) ** 0.5

    band = smoothed(*pairs).band()
    quantile = NormalDist().inv_cdf(0.95)
    assert deviations(band.low) == pytest.approx(quantile, abs=0.001)
    assert deviations(band.high) == pytest.approx(-quantile, abs=0.001)


def test_the_band_holds_the_truth_nine_times_in_ten():
    """Gradients from a normal distribution with |G|² = 1 and tr(Σ) = 250, in batches of 256."""
    random = torch.Generator().manual_seed(0)
    deviations = 0.85 ** (torch.arange(60) / 2)
    deviations *= (250 / deviations.square().sum()).sqrt()
    right = 0
    for _ in range(200):
        draws = torch.randn(60, 2, 60, generator=random) * deviations / 128**0.5 + 60**-0.5
        small = draws.square().sum(2).mean(1)
        big = draws.mean(1).square().sum(1)
        band = smoothed(
            *(
                estimate(*norms, 128, 256)
                for norms in zip(small.tolist(), big.tolist(), strict=True)
            )
        ).band()
        right += band is not None and band.low <= 250 <= band.high
    assert right == pytest.approx(180, abs=12)


# ---- in a session -------------------------------------------------------------------------------


@pytest.mark.usefixtures("always")
def test_losses_are_the_same_to_the_bit_with_an_estimate_before_every_step(few):
    settings = Settings(batch_size=64)
    observed, plain = whole(few, settings, 30), whole(few, settings, 30, observe=False)
    assert observed.losses == plain.losses
    assert len(observed.all(Noise)) >= 25
    assert not plain.all(Noise)


@pytest.mark.usefixtures("always")
def test_no_anatomy_and_no_peak_contains_it(few):
    measured = whole(few, Settings(), 30).all(LessonMeasured)
    peaks = {message.anatomy.peak.bytes for message in measured if message.settled}
    full = 3 * P + 16 + P + (3_136 + 48) * 64 + 4 + 2 * 401_408
    short = full - (3_136 + 48) * 40  # 600 images are nine batches of 64, and 24 more
    assert full in peaks
    assert peaks <= {full, short}


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("batch_size", [2, 63, 200, 600])
def test_it_needs_no_more_memory_than_the_step(few, optimizer, batch_size):
    training = Training(Settings(optimizer=optimizer), few, CPU)
    training.step(batch_size, Unwatched())
    training.batches.seek(1, 0)
    recording = training.ledger.record()
    training.step(batch_size, recording)
    peak = recording.anatomy().peak.bytes
    training.batches.seek(1, 0)

    seen = NoiseSampler().sample(training, batch_size, peak)
    assert seen is not None
    assert seen.peak.total <= peak
    assert seen.images == min(batch_size // 2 * 2, 512)


@pytest.mark.usefixtures("always")
def test_a_batch_of_one_has_no_halves(few):
    assert not whole(few, Settings(batch_size=1), 5).all(Noise)


@pytest.mark.usefixtures("always")
def test_of_a_large_batch_a_part_is_enough(few):
    training = Training(Settings(), few, CPU)
    assert NoiseSampler().sample(training, 600, None).images == 512
    assert training.batches.position == 0


def test_gradients_that_are_no_numbers_are_left_out(few):
    training, sampler = Training(Settings(), few, CPU), NoiseSampler()
    sampler.sample(training, 64, None)
    before = sampler._smoothed.mean
    kept = training.model[3].bias.detach().clone()
    with torch.no_grad():
        training.model[3].bias.fill_(float("nan"))
    sampler.sample(training, 64, None)
    assert (sampler._smoothed.count, sampler._smoothed.mean) == (1, before)
    with torch.no_grad():
        training.model[3].bias.copy_(kept)
    sampler.sample(training, 64, None)
    assert sampler._smoothed.count == 2
    assert sampler._smoothed.mean.signal == pytest.approx(before.signal)


@pytest.mark.usefixtures("always")
def test_without_room_it_is_left_out_until_something_changes(few, monkeypatch):
    tried = []

    def norms(*arguments):
        tried.append(arguments[2])
        raise torch.OutOfMemoryError("others took it")

    monkeypatch.setattr(NoiseSampler, "_norms", norms)
    with running(few, Settings(), every_step=True) as driver:
        driver.until(LessonSample, lambda _: len(driver.all(LessonSample)) > 20)
        driver.send(Change(1, batch_size=32))
        driver.until(Note, lambda _: len(driver.all(Note)) == 2)
    assert tried == [64, 32]


def test_it_takes_no_more_than_its_share_of_the_time(few, monkeypatch):
    now = 100.0
    monkeypatch.setattr(noise.time, "monotonic", lambda: now)
    monkeypatch.setattr(noise, "ROUND", 3)
    sampler = NoiseSampler()
    assert not sampler.due(64, 0.4)
    assert sampler.due(64, 0.5)
    now += 2
    assert sampler.due(64, 0)

    def slow(*_):
        nonlocal now
        now += 0.015
        return 1.0, 0.9

    monkeypatch.setattr(NoiseSampler, "_norms", slow)
    training = Training(Settings(), few, CPU)
    training.progress.images = 4 * 600  # the early rounds are over
    assert [sampler.sample(training, 64, None) for _ in range(2)] == [None, None]
    assert sampler.due(64, 4)  # in the middle of a round
    assert sampler.sample(training, 64, None).estimates == 3
    now += 9.9  # 0.03 s were spent: the very first estimate does not count
    assert not sampler.due(64, 9)
    now += 0.2
    assert sampler.due(64, 9)


def test_the_scale_of_the_sample_is_reported_within_its_first_epochs(sample, monkeypatch):
    """With the default settings; the true scale is about 140 after half an epoch."""
    monkeypatch.setattr(noise, "FIRST_SECONDS", 3600)  # half an epoch comes first
    with running(sample, Settings(device="cpu")) as driver:
        first = driver.until(Noise)
        assert first.estimates == 40
        assert 47 <= first.step <= 47 + 40
        known = first if first.scale is not None else driver.until(Noise, lambda new: new.scale)
    assert 40 < known.low < known.scale < 500
