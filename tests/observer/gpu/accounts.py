"""Steps on a CUDA device in which memory is released late, kept, or not traced.

A program that runs on a simulated GPU. Prints a JSON object: for each name, the steps by the ledger
and by the allocator, each of them or the reason why it has no account.
"""

import gc
import json
import threading

import msgspec
import torch
from torch import nn
from vramtop.accounting.account import NoAccount
from vramtop.observer import trace
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.device import memory
from vramtop.trainer.training.ledger import Ledger, RecordedStep
from vramtop.trainer.training.noise import NoiseSampler
from vramtop.trainer.training.training import Training

DEVICE = torch.device("cuda", 0)
TIMES = 8
LATE = 5_000_000  # bytes
KEPT = 4_000

library = torch.library.Library("vramtop_test", "DEF")
asked, gone = threading.Event(), threading.Event()
kept: list[torch.Tensor] = []


def operator(name):
    """Make an operator of a function. The ledger sees the operator, not what is inside."""

    def register(function):
        library.define(f"{name}(Tensor x) -> Tensor")
        library.impl(name, function, "CUDA")
        return getattr(torch.ops.vramtop_test, name)

    return register


@operator("waits")
def waits(x):
    """Wait until another thread has released what it holds."""
    asked.set()
    assert gone.wait(30)
    return torch.empty_like(x)


@operator("keeps")
def keeps(x):
    kept.append(torch.empty(KEPT, dtype=torch.uint8, device=DEVICE))
    return torch.empty_like(x)


@operator("gives_back")
def gives_back(x):
    kept.clear()
    return torch.empty_like(x)


def report(recording: RecordedStep) -> object:
    """Anatomy and allocator, or the reason why there is no account."""
    try:
        anatomy = recording.anatomy()
    except NoAccount as reason:
        return str(reason)
    return msgspec.to_builtins({"anatomy": anatomy, "allocator": recording.allocator()})


def run(*operators) -> object:
    """A recorded step in which each of these runs in a phase of its own."""
    model = nn.Linear(3, 3).to(DEVICE)
    with Ledger(DEVICE, [model], []).record() as recording:
        x = torch.zeros(1000).to(DEVICE)
        recording.batch(x)
        for phase, each in zip(("forward", "backward", "optimizer"), operators, strict=False):
            recording.begin(phase)
            x = each(x)
        recording.begin("zero_grad")
    return report(recording)


def late() -> list[object]:
    """A tensor older than the step is released during an operator, by another thread."""

    def hold(tensors):
        asked.wait(30)
        tensors.clear()
        gone.set()

    tensors = [torch.empty(LATE, dtype=torch.uint8, device=DEVICE)]
    thread = threading.Thread(target=hold, args=(tensors,))
    thread.start()
    step_report = run(torch.relu, waits, torch.relu)
    thread.join()
    return [step_report]


def keeping() -> list[object]:
    """A buffer is kept, and given back in a later step; another one is given back between steps."""
    reports = [run(keeps), run(torch.relu), run(torch.relu, gives_back), run(keeps)]
    kept.clear()
    return [*reports, run(torch.relu)]


def step(training: Training, settings: Settings) -> object:
    training.batches.seek(1, 0)
    recording = training.ledger.record()
    training.step(settings.batch_size, recording, settings.accumulation)
    return report(recording)


def estimate(training: Training, settings: Settings) -> None:
    sampler = NoiseSampler()
    sampler.sample(training, settings.batch_size, None)
    assert sampler.room


def estimates(accumulation: int) -> list[object]:
    """Steps right after estimates of the noise, without the first two, which make workspaces."""
    settings = Settings(accumulation=accumulation, hidden=1024)
    training = Training(settings, data, DEVICE)
    reports = []
    for _ in range(TIMES):
        training.batches.seek(1, 0)
        estimate(training, settings)
        reports.append(step(training, settings))
    return reports[2:]


def untraced() -> list[object]:
    """A step whose trace is too short, one without a caching allocator, and one as usual."""
    settings = Settings()
    training = Training(settings, data, DEVICE)
    step(training, settings)
    entries, trace.MOST_ENTRIES = trace.MOST_ENTRIES, 10
    reports = [step(training, settings)]
    trace.MOST_ENTRIES = entries
    torch.cuda.memory.caching_allocator_enable(False)
    other = Training(settings, data, DEVICE)
    reports.append(step(other, settings))
    del other
    torch.cuda.memory.caching_allocator_enable(True)
    return [*reports, step(training, settings)]


def profiled() -> list[object]:
    """While somebody else records a history, of enough and of too few entries."""
    settings = Settings()
    training = Training(settings, data, DEVICE)
    for _ in range(2):
        step(training, settings)
    reports = []
    for entries in (100_000, 5):
        torch.cuda.memory._record_memory_history(max_entries=entries, clear_history=True)
        marked = torch.empty(12_345, dtype=torch.uint8, device=DEVICE)
        del marked
        reports.append(step(training, settings))
        (events, *_) = torch.cuda.memory._snapshot()["device_traces"]
        reports.append([sum(event["size"] == 12_345 for event in events), len(events)])
        assert torch._C._cuda_isHistoryEnabled()
        torch.cuda.memory._record_memory_history(enabled=None)
    return reports


def given_back() -> list[list[int]]:
    """Allocated and reserved bytes, after each estimate and once the cache was given back."""
    gc.collect()  # the trainings before
    settings = Settings(hidden=1024)
    training = Training(settings, data, DEVICE)
    held = []
    for _ in range(TIMES):
        training.batches.seek(1, 0)
        estimate(training, settings)
        memory.release(DEVICE)
        held.append([torch.cuda.memory_allocated(DEVICE), torch.cuda.memory_reserved(DEVICE)])
    return held


if __name__ == "__main__":
    data = Library(None).load("mnist")
    reports = {
        "late": late(),
        "keeping": keeping(),
        "estimates": estimates(1),
        "added": estimates(4),
        "untraced": untraced(),
        "profiled": profiled(),
        "given back": given_back(),
    }
    print(json.dumps(reports))
