"""A training without a session: its evaluation and its snapshots."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.data.datasets import Dataset, Images
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

CPU = torch.device("cpu")


@pytest.mark.parametrize("batch_size", [1000, 300, 7])
def test_every_test_image_weighs_the_same_however_they_are_batched(sample: Dataset, batch_size):
    test = Images(sample.test.inputs[:100], sample.test.targets[:100])
    training = Training(Settings(), replace(sample, test=test), CPU)
    values = (test.inputs / 255 - sample.mean) / sample.std
    with torch.no_grad():
        output = training.model(values.view(-1, 1, 28, 28))
    score = training.evaluate(batch_size, Unwatched())
    assert score.loss == pytest.approx(nn.functional.cross_entropy(output, test.targets).item())
    assert score.accuracy == (output.argmax(1) == test.targets).sum().item() / 100


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_snapshot_can_be_restored_more_than_once(few: Dataset, optimizer):
    settings = Settings(optimizer=optimizer)
    training = Training(settings, few, CPU)
    training.step(64, Unwatched())
    here = training.snapshot(settings)

    def onwards():
        return [training.step(64, Unwatched()).item() for _ in range(5)]

    first = onwards()
    for _ in range(2):
        training.restore(here)
        assert onwards() == first
