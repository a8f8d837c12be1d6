"""Steps on a CUDA device and their predictions; a program that runs on a simulated GPU.

Prints a JSON object: the second step of each setting, measured and predicted; and the buffers of
sums of several shapes.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import torch
from vramtop.accounting.reductions import sum_buffers
from vramtop.protocol.lesson.settings import DATASETS, OPTIMIZERS, Settings
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.data.sources import SHAPES
from vramtop.trainer.fitting.gpu_traits import gpu_traits
from vramtop.trainer.fitting.predictor import predict
from vramtop.trainer.training.training import Training

DEVICE = torch.device("cuda", 0)
# Batch sizes and hidden widths.
PLACES = ((1, 3), (64, 128), (527, 1000), (1021, 128), (2048, 1), (4096, 2048), (6000, 130))
# For each optimizer, a batch size and how many batches are added up.
ADDED = ((64, 16), (527, 3), (1024, 5), (64, 2))
SHAPES_OF_SUMS = itertools.product((1, 64, 1020, 1021, 4096, 60_000), (1, 2, 3, 10, 16, 128, 4096))


def every_other(*axes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Half of all combinations, in which any values of two of three axes still meet."""
    for numbered in itertools.product(*map(enumerate, axes)):
        if sum(number for number, _ in numbered) % 2 == 0:
            yield tuple(value for _, value in numbered)


def both(library: Library, settings: Settings) -> list[object]:
    """The second step, measured and predicted."""
    torch.cuda.empty_cache()
    training = Training(settings, library.load(settings.dataset), DEVICE)
    for _ in range(2):
        training.batches.seek(1, 0)
        recording = training.ledger.record()
        training.step(settings.batch_size, recording, settings.accumulation)
    measured = {"anatomy": recording.anatomy(), "allocator": recording.allocator()}
    predicted = predict(settings, SHAPES[settings.dataset], "cuda", gpu_traits(DEVICE))
    by_prediction = {"anatomy": predicted.anatomy, "allocator": predicted.allocator}
    return [settings, *(msgspec.to_builtins(each) for each in (measured, by_prediction))]


def sums(rows: int, columns: int) -> list[object]:
    """Bytes that a sum over the rows takes inside its operator: measured, and by the rule."""
    values = torch.empty(rows, columns, device=DEVICE)
    torch.cuda.reset_peak_memory_stats(DEVICE)
    before = torch.cuda.memory_stats(DEVICE)["requested_bytes.all.current"]
    result = values.sum(0)
    peak = torch.cuda.memory_stats(DEVICE)["requested_bytes.all.peak"]
    gpu = gpu_traits(DEVICE)
    assert gpu is not None
    return [
        rows,
        columns,
        peak - before - result.nbytes,
        sum(sum_buffers(rows, columns, gpu.processors, gpu.threads)),
    ]


if __name__ == "__main__":
    library = Library(None)
    settings = [
        Settings(dataset=dataset, optimizer=optimizer, batch_size=size, hidden=hidden)
        for dataset, optimizer, (size, hidden) in every_other(DATASETS, OPTIMIZERS, PLACES)
    ]
    settings += [
        Settings(optimizer=optimizer, batch_size=size, accumulation=times)
        for optimizer, (size, times) in zip(OPTIMIZERS, ADDED, strict=True)
    ]
    Training(settings[0], library.load("mnist"), DEVICE)
    steps = [msgspec.to_builtins(both(library, each)) for each in settings]
    print(json.dumps({"steps": steps, "sums": [sums(*shape) for shape in SHAPES_OF_SUMS]}))
