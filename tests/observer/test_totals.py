"""The ledger's totals are the bytes that the allocator gave out."""

import itertools
import time

import pytest
import torch
from programs import CPU, mlp, train
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint
from vramtop.trainer.training.ledger import Ledger


def conv():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, dropout=0.5)

    def forward(self, inputs):
        return self.lstm(inputs)[0]


class Recomputed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, inputs):
        # The random state would be a tensor that no operator makes.
        return checkpoint(self.body, inputs, use_reentrant=False, preserve_rng_state=False)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, inputs):
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(inputs)


def rows():
    return torch.ones(4, 8)


PROGRAMS = {
    "mlp": (mlp, torch.optim.AdamW, rows),
    "convolution": (conv, torch.optim.SGD, lambda: torch.ones(2, 3, 8, 8)),
    "lstm and dropout": (Recurrent, torch.optim.RMSprop, lambda: torch.ones(5, 3, 8)),
    "attention": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        torch.optim.NAdam,
        lambda: torch.ones(3, 5, 8),
    ),
    "recomputed": (Recomputed, torch.optim.Adagrad, rows),
    "mixed precision": (Mixed, torch.optim.Adam, rows),
    "sparse": (
        lambda: nn.Embedding(100, 4, sparse=True),
        torch.optim.SparseAdam,
        lambda: torch.tensor([5, 5, 7]),
    ),
}


class Clocked:
    """A recording that notes the time and the ledger's bytes at each boundary."""

    def __init__(self, recording):
        self.recording = recording
        self.batch = recording.batch
        self.noted = []

    def begin(self, phase):
        self.noted.append((time.time_ns(), self.recording.split().total))
        self.recording.begin(phase)


@pytest.mark.parametrize("name", PROGRAMS)
def test_totals_are_what_the_allocator_has_given_out(name):
    make_model, make_optimizer, make_batch = PROGRAMS[name]
    model = make_model()
    optimizer = make_optimizer(model.parameters(), lr=0.01)
    ledger = Ledger(CPU, [model], [optimizer])
    with ledger.record() as recording:
        train(recording, model, optimizer, make_batch)

    with (
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler,
        ledger.record() as recording,
    ):
        clocked = Clocked(recording)
        train(clocked, model, optimizer, make_batch)

    events = [
        (event.start_ns(), event.nbytes())
        for event in profiler.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    anatomy = recording.anatomy()
    start = anatomy.curve[0].split.total
    given = [start + sum(size for at, size in events if at < end) for end, _ in clocked.noted]
    assert given == [total for _, total in clocked.noted]
    # Inside operators there can be more, which only the allocator sees.
    events.sort()
    top = max(itertools.accumulate((size for _, size in events), initial=start))
    assert anatomy.peak.bytes <= top
