"""What gradient_as_bucket_view would save is predicted, and then it is done and measured."""

import json
import sys

import pytest
from command import vramtop

WITH_VIEWS = "gradients in the buckets of DistributedDataParallel alone"
# Each rank trains on a GPU of its own; the allocator's own statistics tell the peak of a step.
TRAIN = """
import os, sys, torch
from torch import nn
torch.distributed.init_process_group("gloo")
device = "cuda:" + os.environ["LOCAL_RANK"]
torch.cuda.set_device(device)
optimizer, zero, views = sys.argv[1:4]
blocks = [nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.LayerNorm(256)) for _ in range(6)]
model = nn.Sequential(nn.Linear(100, 256), *blocks, nn.Linear(256, 10)).to(device)
model = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=views == "views")
options = {"lr": 0.1} | ({"foreach": False} if optimizer == "SGD" else {})
optimizer = getattr(torch.optim, optimizer)(model.parameters(), **options)
for _ in range(6):
    torch.cuda.reset_peak_memory_stats()
    inputs = torch.randn(64, 100, device=device)
    targets = torch.zeros(64, dtype=torch.long, device=device)
    if zero == "before":
        optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(inputs), targets)
    if zero != "before":
        optimizer.zero_grad(set_to_none=zero != "zeros")
    loss.backward()
    optimizer.step()
peak = torch.cuda.memory_stats()["requested_bytes.all.peak"]
os.write(1, b"%d\\n" % peak)  # at once, so that the lines of two ranks do not mix
torch.distributed.destroy_process_group()
"""
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")


@pytest.fixture
def train(simgpu, tmp_path):
    """Trains on two GPUs, as it is or with views; the reports, and the peaks of a step."""
    script = tmp_path / "train.py"
    script.write_text(TRAIN)

    def run(*arguments):
        environment = {**simgpu.environment(devices=2), "OMP_NUM_THREADS": "1"}
        command = (*TORCHRUN, str(script), *arguments)
        out = tmp_path / "o"
        done = vramtop("run", "--headless", "--output", str(out), "--", *command, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(out.read_text()), {int(line) for line in done.stdout.split()}

    return run


def predicted(report):
    """The new peak that the allocator would have, workspace included; None if there is no row."""
    memory = report["kinds"][0]["allocator"]
    for row in report["what_if"]:
        if row["what"] == WITH_VIEWS:
            assert row["bound"] == "at_most"
            assert row["code"].endswith("gradient_as_bucket_view=True)")
            return row["peak"] + memory["workspace"]
    return None


@pytest.mark.parametrize("zero", ["before", "after forward", "zeros"])
@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_no_more_is_held_than_predicted_and_less_than_before(train, optimizer, zero):
    reports, (before,) = train(optimizer, zero, "")
    _, (measured,) = train(optimizer, zero, "views")
    told = [predicted(report) for report in reports]
    assert len(told) == 2
    assert all(peak is not None for peak in told)
    print(f"{optimizer} {zero}: {before:,} before, {told[0]:,} predicted, {measured:,} measured")
    assert all(measured <= peak < before for peak in told)


def test_where_gradients_are_views_already_there_is_nothing_to_predict(train):
    reports, _ = train("AdamW", "before", "views")
    assert [predicted(report) for report in reports] == [None, None]
