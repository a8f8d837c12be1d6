"""Steps of both MLPs with every optimizer on a CUDA device; a program that runs on a simulated GPU.

Prints a JSON list: the second step of each setting, by the ledger and by the allocator.
"""

import itertools
import json

import msgspec
import torch
from programs import VARIANTS, classify, lesson_mlp, optimizer_of, zeros
from vramtop.trainer.training.ledger import Ledger

PIXELS = (784, 3072)
BATCHES = (1, 64, 256, 1020, 1021, 1024, 4096)
DEVICE = torch.device("cuda", 0)


def second_step(d: int, b: int, variant: str) -> dict[str, object]:
    model = lesson_mlp(d).to(DEVICE)
    optimizer = optimizer_of(variant, model)
    ledger, (images, labels) = Ledger(DEVICE, [model], [optimizer]), zeros(b, d)
    for _ in range(2):
        recording = classify(
            ledger, model, optimizer, lambda: (images.to(DEVICE), labels.to(DEVICE))
        )
    anatomy = recording.anatomy()
    report = {
        "anatomy": anatomy,
        "allocator": recording.allocator(),
        "tensors": recording.tensors(anatomy),
    }
    return {"d": d, "b": b, "variant": variant, **msgspec.to_builtins(report)}


if __name__ == "__main__":
    settings = itertools.product(PIXELS, BATCHES, VARIANTS)
    print(json.dumps([second_step(*setting) for setting in settings]))
