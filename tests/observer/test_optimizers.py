"""The state of each optimizer, and what it allocates meanwhile."""

from typing import Any

import pytest
import torch
from programs import CPU, INPUTS, LOSS, WEIGHT, linear, settled
from torch import nn
from vramtop.protocol.split import Split
from vramtop.trainer.training.ledger import Ledger


@pytest.mark.parametrize(
    ("kind", "options", "state", "temporaries"),
    [
        # Temporaries: none, or one or two tensors as large as the weight.
        (torch.optim.SGD, {"foreach": True}, 0, 0),
        (torch.optim.SGD, {"fused": True}, 0, 0),
        (torch.optim.SGD, {"momentum": 0.9, "foreach": True}, WEIGHT, 0),
        (torch.optim.SGD, {"momentum": 0.9, "fused": True}, WEIGHT, 0),
        (torch.optim.SGD, {"weight_decay": 0.1}, 0, WEIGHT),
        (torch.optim.SGD, {"weight_decay": 0.1, "foreach": True}, 0, WEIGHT),
        (torch.optim.Adam, {"foreach": True}, 2 * WEIGHT + 4, WEIGHT),
        (torch.optim.Adam, {"fused": True}, 2 * WEIGHT + 4, 0),
        (torch.optim.Adam, {"amsgrad": True, "fused": True}, 3 * WEIGHT + 4, 0),
        (torch.optim.AdamW, {"foreach": True}, 2 * WEIGHT + 4, WEIGHT),
        (torch.optim.AdamW, {"fused": True}, 2 * WEIGHT + 4, 0),
        (torch.optim.Adagrad, {"foreach": True}, WEIGHT + 4, 2 * WEIGHT),
        (torch.optim.RMSprop, {"foreach": True}, WEIGHT + 4, WEIGHT),
    ],
)
def test_each_optimizer_keeps_its_own_state(
    kind: type[torch.optim.Optimizer], options: dict[str, Any], state: int, temporaries: int
) -> None:
    model = linear()
    optimizer = kind(model.parameters(), **options)  # type: ignore[call-arg]

    anatomy = settled(model, optimizer, torch.zeros(2, 8))

    assert anatomy.boundaries["optimizer"] == Split(
        parameters=WEIGHT,
        gradients=WEIGHT,
        optimizer_state=state,
        batch_data=INPUTS,
        activations=LOSS,
    )
    in_optimizer = [m.split.temporaries for m in anatomy.curve if m.phase == "optimizer"]
    assert max(in_optimizer, default=0) == temporaries


def test_two_optimizers_each_keep_their_state() -> None:
    one, two = linear(), nn.Linear(4, 4, bias=False)
    optimizers = [
        torch.optim.SGD(one.parameters(), lr=0.1, momentum=0.9),
        torch.optim.Adam(two.parameters()),
    ]
    with Ledger(CPU, [one, two], optimizers).record() as recording:
        recording.begin("forward")
        loss = two(one(torch.zeros(2, 8))).sum()
        recording.begin("backward")
        loss.backward()
        recording.begin("optimizer")
        for optimizer in optimizers:
            optimizer.step()
    assert recording.anatomy().boundaries["optimizer"].optimizer_state == WEIGHT + 2 * 64 + 4


def test_a_batch_gathered_from_a_dataset_on_the_device_counts_alone() -> None:
    dataset = torch.zeros(1000, 8)
    chosen = torch.tensor([5, 7])
    with Ledger(CPU, [], []).record() as recording:
        batch = dataset[chosen]
        recording.batch(batch)
    assert recording.anatomy().boundaries["load"] == Split(batch_data=INPUTS)
