"""PyTorch's own caching allocator on the simulated runtime: what it counts, and what it says."""

from __future__ import annotations

import json
import os

import pynvml
import pytest
from simulation import CONTEXT, DRIVER_RESERVED, GIB, MIB

WORKSPACE = 32 * MIB  # cuBLAS's, for each handle, on compute capability 9.0

TRAINING = """
import json, time, warnings
import torch

warnings.simplefilter("error")  # torch warns of a driver that behaves strangely

def numbers(device=0):
    s = torch.cuda.memory_stats(device)
    current = {k: s[f"{k}_bytes.all.current"] for k in ("requested", "allocated", "reserved")}
    return current | {"peak": s["allocated_bytes.all.peak"], "ooms": s["num_ooms"]}

def refused(bytes, device=0):
    try:
        torch.empty(bytes, dtype=torch.uint8, device=device)
    except torch.OutOfMemoryError as error:
        return str(error)

told = {"free_before": torch.cuda.mem_get_info(0)}
tensor = torch.empty(1000, device="cuda")
told["one tensor"] = numbers()
told["free_with"] = torch.cuda.mem_get_info(0)
del tensor
told["freed"] = numbers()
torch.cuda.empty_cache()
told["emptied"] = numbers()
told["free_after"] = torch.cuda.mem_get_info(0)

told["too large"] = refused(9 << 30)
told["ooms"] = numbers()["ooms"]
torch.cuda.set_per_process_memory_fraction(0.5, 0)
told["over the fraction"] = refused(5 << 30)
torch.cuda.set_per_process_memory_fraction(1.0, 0)

told["contexts"] = [torch._C._cuda_hasPrimaryContext(device) for device in (0, 1)]
properties = torch.cuda.get_device_properties(1)
told["device 1"] = [properties.name, str(properties.uuid), properties.total_memory]
told["capability"] = torch.cuda.get_device_capability(1)

start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
before = time.perf_counter()
start.record()
clock = time.perf_counter()
while time.perf_counter() - clock < 0.02:
    pass
end.record()
told["milliseconds"] = [start.elapsed_time(end), (time.perf_counter() - before) * 1e3]
told["streams differ"] = torch.cuda.Stream() != torch.cuda.Stream()

values = torch.arange(10)
told["copied"] = values.cuda().cpu().tolist()

from torch import nn
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).cuda()
optimizer = torch.optim.Adam(model.parameters(), fused=True)
images, labels = torch.zeros(64, 784, device="cuda"), torch.zeros(64, dtype=torch.long).cuda()
before = numbers()
told["parameters"] = before["requested"] - (64 * 784 * 4 + 64 * 8)
for _ in range(3):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
told["trained"] = numbers()["requested"] - before["requested"]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(simgpu):
    """What one process with the real torch saw."""
    return json.loads(simgpu.run(TRAINING, simgpu.environment()))


def test_a_tensor_is_rounded_to_512_bytes_within_a_segment_of_2_mib(told):
    assert told["one tensor"] == {
        "requested": 4000,
        "allocated": 4096,
        "reserved": 2 * MIB,
        "peak": 4096,
        "ooms": 0,
    }


def test_the_cache_keeps_a_freed_segment_until_it_is_emptied(told):
    assert (told["freed"]["allocated"], told["freed"]["reserved"]) == (0, 2 * MIB)
    assert told["emptied"]["reserved"] == 0
    assert told["freed"]["peak"] == 4096


def test_the_device_has_exactly_what_the_allocator_did_not_take(told):
    free = 8 * GIB - DRIVER_RESERVED - CONTEXT
    assert told["free_before"] == told["free_after"] == [free, 8 * GIB]
    assert told["free_with"] == [free - 2 * MIB, 8 * GIB]


def test_out_of_memory_is_told_in_torchs_words_with_the_drivers_numbers(told):
    assert "Tried to allocate 9.00 GiB" in told["too large"]
    assert "GPU 0 has a total capacity of 8.00 GiB of which 6.92 GiB is free" in told["too large"]
    assert "this process has 510.00 MiB memory in use" in told["too large"]
    assert told["ooms"] == 1


def test_a_fraction_limits_this_process(told):
    assert "4.00 GiB allowed" in told["over the fraction"]


def test_only_a_device_that_is_used_gets_a_context(told):
    assert told["contexts"] == [True, False]


def test_a_device_is_named_alike_by_torch_and_nvml(told, simgpu):
    name, uuid, total = told["device 1"]
    with simgpu.nvml(simgpu.environment()):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(1)
        assert pynvml.nvmlDeviceGetUUID(handle) == f"GPU-{uuid}"
        assert pynvml.nvmlDeviceGetName(handle) == name
        assert pynvml.nvmlDeviceGetMemoryInfo(handle).total == total
        assert list(pynvml.nvmlDeviceGetCudaComputeCapability(handle)) == told["capability"]


def test_events_take_the_clock(told):
    between, around = told["milliseconds"]
    assert 19.9 <= between <= around  # two clocks, one of them in float32


def test_streams_are_distinct(told):
    assert told["streams differ"]


def test_bytes_survive_the_way_to_the_device_and_back(told):
    assert told["copied"] == list(range(10))


def test_an_mlp_trains_and_holds_parameters_gradients_state_and_two_workspaces(told):
    parameters = 4 * (784 * 128 + 128 + 128 * 10 + 10)
    steps_counted = 4 * 4
    assert told["parameters"] == parameters
    assert told["trained"] == 3 * parameters + steps_counted + 2 * WORKSPACE


def test_without_a_device_torch_has_no_cuda(simgpu):
    script = "import torch; print(torch.cuda.is_available(), torch.cuda.device_count())"
    assert simgpu.run(script, simgpu.environment(devices=0)) == "False 0\n"


HOLDER = """
import sys, torch
held = torch.empty(4 << 30, dtype=torch.uint8, device="cuda:0")
print(torch.cuda.get_device_properties(0).uuid, torch.cuda.device_count(), flush=True)
sys.stdin.read()
"""

ALLOCATION = """
import ctypes
runtime, pointer = ctypes.CDLL("libsimcuda.so"), ctypes.c_void_p()
runtime.cudaSetDevice(1)
print(runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(4 << 30)))
"""


def test_a_killed_torch_process_gives_its_memory_back_to_the_others(simgpu):
    machine = simgpu.environment()
    renumbered = machine | {"CUDA_VISIBLE_DEVICES": "1,0"}
    with simgpu.start(HOLDER, renumbered) as holder, simgpu.nvml(machine):
        try:
            uuid, devices = holder.stdout.readline().split()
            pynvml.nvmlInit()
            card = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
            assert (pynvml.nvmlDeviceGetIndex(card), devices) == (1, "2")
            (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(card)
            assert (process.pid, process.usedGpuMemory) == (holder.pid, CONTEXT + 4 * GIB)
            assert simgpu.run(ALLOCATION, machine) == "2\n"  # cudaErrorMemoryAllocation
        finally:
            holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # ended, and still a zombie
        assert pynvml.nvmlDeviceGetComputeRunningProcesses(card) == []
        assert simgpu.run(ALLOCATION, machine) == "0\n"
