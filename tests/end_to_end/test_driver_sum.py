"""The driver's figure for a program is a sum on each GPU, whether NVML knows the process or not."""

import json
import sys

import pytest
from command import vramtop

CONTEXT, DRIVER_RESERVED, HANDLE = 510 * 2**20, 600 * 2**20, 3_000_017
TRAIN = """
import os, sys, time, torch
from torch import nn
device = "cuda:" + os.environ.get("LOCAL_RANK", "0")
if "RANK" in os.environ:
    torch.distributed.init_process_group("gloo")
pinned = torch.zeros(1000).pin_memory()
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
if "RANK" in os.environ:
    model = nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.Adam(model.parameters())
ends = time.monotonic() + 3  # so that the monitor asks the driver more than once
over = torch.zeros(1)
while not over:
    inputs = torch.randn(64, 784, device=device)
    targets = torch.zeros(64, dtype=torch.long, device=device)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
    over += time.monotonic() >= ends
    if "RANK" in os.environ:
        torch.distributed.all_reduce(over)
host = torch.cuda.host_memory_stats()["allocated_bytes.current"]
print(torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[0], host, flush=True)
if "RANK" in os.environ:
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    return str(tmp_path / "train.py")


def watched(simgpu, script, tmp_path, *launcher, **machine):
    """The reports, and for each what its allocators had, and CUDA said was free."""
    environment = {**simgpu.environment(cublas=HANDLE, **machine), "OMP_NUM_THREADS": "1"}
    out = tmp_path / "o"
    command = ("run", "--headless", "--output", str(out), "--", sys.executable, *launcher, script)
    done = vramtop(*command, env=environment)
    assert done.returncode == 0, done.stderr
    told = {tuple(map(int, line.split())) for line in done.stdout.splitlines()}
    return json.loads(out.read_text()), told, done.stderr


@pytest.mark.parametrize(
    "launcher", [(), ("-m", "torch.distributed.run", "--nproc-per-node", "2")], ids=("1", "2")
)
def test_the_processs_figure_is_the_sum_of_its_terms(simgpu, script, tmp_path, launcher):
    reports, told, table = watched(simgpu, script, tmp_path, *launcher, devices=2)
    assert len(reports) == (2 if launcher else 1)
    for report in reports:
        driver = report["driver"]
        terms = driver["terms"]
        assert driver["by"] == "process"
        assert sum(terms.values()) == driver["bytes"]
        outside, reserved = terms["context"] + terms["libraries"], driver["bytes"]
        assert outside == CONTEXT + 2 * HANDLE  # one of forward's thread and one of backward's
        assert reserved - outside in {allocator for allocator, _, _ in told}
        assert terms["workspace"] == report["kinds"][0]["allocator"]["workspace"] > 0
        end = report["kinds"][0]["boundaries"]["optimizer"]
        assert terms["step"] == sum(end.values())
        assert driver["pinned"] in {host for _, _, host in told}
        assert driver["pinned"] >= 4096
    assert f"process, by NVML  {max(each['driver']['bytes'] for each in reports):,}" in table


def test_where_nvml_does_not_know_the_process_cudas_figure_for_the_gpu_is_the_sum(
    simgpu, script, tmp_path
):
    other = 2**28
    machine = {"values": "pid_shift=1000", "devices": 1, "others": f"77:0:{other}"}
    (report,), ((reserved, free, _),), table = watched(simgpu, script, tmp_path, **machine)
    driver = report["driver"]
    assert driver["by"] == "device"
    assert driver["bytes"] == sum(driver["terms"].values()) == 8 * 2**30 - free
    assert driver["terms"]["others"] == CONTEXT + 2 * HANDLE + other + DRIVER_RESERVED
    assert driver["bytes"] - driver["terms"]["others"] == reserved
    assert "GPU, by CUDA" in table


def test_of_a_cpu_there_is_no_such_sum(simgpu, script, tmp_path):
    environment = {**simgpu.environment(devices=0), "CUDA_VISIBLE_DEVICES": ""}
    short = TRAIN.replace('"cuda:" + os.environ.get("LOCAL_RANK", "0")', '"cpu"')
    short = short.replace("ends = time.monotonic() + 3", "ends = time.monotonic() + 1")
    short = short.replace("pinned =", "# ").partition("host =")[0]
    (tmp_path / "train.py").write_text(short)
    command = ("run", "--headless", "--output", str(tmp_path / "o"), sys.executable, script)
    done = vramtop(*command, env=environment)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads((tmp_path / "o").read_text())
    assert report["driver"] is None
    assert "driver's sum" not in done.stderr
