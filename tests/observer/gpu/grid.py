"""A step of both MLPs with every optimizer on a CUDA device; run as a program on a simulated one.

Prints a JSON list: what the ledger and the allocator said of the second step of each setting.
"""

import itertools
import json

import msgspec
import torch
from torch import nn
from vramtop.trainer.training.ledger import Ledger

VARIANTS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "adam-loop": (torch.optim.Adam, {"foreach": False}),
    "adam-foreach": (torch.optim.Adam, {"foreach": True}),
    "adam-fused": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {}),
}
PIXELS = (784, 3072)
BATCHES = (1, 64, 256, 1020, 1021, 1024, 4096)
DEVICE = torch.device("cuda", 0)


def second_step(d: int, b: int, variant: str) -> dict[str, object]:
    model = nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 10)).to(DEVICE)
    kind, options = VARIANTS[variant]
    optimizer = kind(model.parameters(), lr=1e-3, **options)
    ledger, criterion = Ledger(DEVICE, [model], [optimizer]), nn.CrossEntropyLoss()
    images, labels = torch.zeros(b, d), torch.zeros(b, dtype=torch.int64)

    def step() -> dict[str, object]:
        with ledger.record() as recording:
            inputs, targets = images.to(DEVICE), labels.to(DEVICE)
            recording.batch(inputs, targets)
            recording.begin("forward")
            output = model(inputs)
            loss = criterion(output, targets)
            recording.begin("backward")
            loss.backward()
            recording.begin("optimizer")
            optimizer.step()
            recording.begin("zero_grad")
            optimizer.zero_grad()
        anatomy = recording.anatomy()
        said = {
            "anatomy": anatomy,
            "allocator": recording.allocator(),
            "tensors": recording.tensors(anatomy),
        }
        return {name: msgspec.to_builtins(value) for name, value in said.items()}

    step()
    return {"d": d, "b": b, "variant": variant, **step()}


if __name__ == "__main__":
    settings = itertools.product(PIXELS, BATCHES, VARIANTS)
    print(json.dumps([second_step(*setting) for setting in settings]))
