"""PyTorch's own caching allocator on the simulated runtime: its counters and its errors."""

from __future__ import annotations

import json

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

report = {"free_before": torch.cuda.mem_get_info(0)}
tensor = torch.empty(1000, device="cuda")
report["one tensor"] = numbers()
report["free_with"] = torch.cuda.mem_get_info(0)
del tensor
report["freed"] = numbers()
torch.cuda.empty_cache()
report["emptied"] = numbers()
report["free_after"] = torch.cuda.mem_get_info(0)

report["too large"] = refused(9 << 30)
report["ooms"] = numbers()["ooms"]
torch.cuda.set_per_process_memory_fraction(0.5, 0)
report["over the fraction"] = refused(5 << 30)
torch.cuda.set_per_process_memory_fraction(1.0, 0)

report["contexts"] = [torch._C._cuda_hasPrimaryContext(device) for device in (0, 1)]
properties = torch.cuda.get_device_properties(1)
report["device 1"] = [properties.name, str(properties.uuid), properties.total_memory]
report["capability"] = torch.cuda.get_device_capability(1)

start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
before = time.perf_counter()
start.record()
clock = time.perf_counter()
while time.perf_counter() - clock < 0.02:
    pass
end.record()
report["milliseconds"] = [start.elapsed_time(end), (time.perf_counter() - before) * 1e3]
report["streams differ"] = torch.cuda.Stream() != torch.cuda.Stream()

values = torch.arange(10)
report["copied"] = values.cuda().cpu().tolist()

from torch import nn
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).cuda()
optimizer = torch.optim.Adam(model.parameters(), fused=True)
images, labels = torch.zeros(64, 784, device="cuda"), torch.zeros(64, dtype=torch.long).cuda()
before = numbers()
report["parameters"] = before["requested"] - (64 * 784 * 4 + 64 * 8)
for _ in range(3):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
report["trained"] = numbers()["requested"] - before["requested"]
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(simgpu):
    """What one process with the real torch printed."""
    return json.loads(simgpu.run_torch(TRAINING, simgpu.environment()))


def test_a_tensor_is_rounded_to_512_bytes_within_a_segment_of_2_mib(report):
    assert report["one tensor"] == {
        "requested": 4000,
        "allocated": 4096,
        "reserved": 2 * MIB,
        "peak": 4096,
        "ooms": 0,
    }


def test_the_cache_keeps_a_freed_segment_until_it_is_emptied(report):
    assert (report["freed"]["allocated"], report["freed"]["reserved"]) == (0, 2 * MIB)
    assert report["emptied"]["reserved"] == 0
    assert report["freed"]["peak"] == 4096


def test_the_device_has_exactly_what_the_allocator_did_not_take(report):
    free = 8 * GIB - DRIVER_RESERVED - CONTEXT
    assert report["free_before"] == report["free_after"] == [free, 8 * GIB]
    assert report["free_with"] == [free - 2 * MIB, 8 * GIB]


def test_out_of_memory_is_reported_by_torch_with_the_drivers_numbers(report):
    assert "Tried to allocate 9.00 GiB" in report["too large"]
    assert "GPU 0 has a total capacity of 8.00 GiB of which 6.92 GiB is free" in report["too large"]
    assert "this process has 510.00 MiB memory in use" in report["too large"]
    assert report["ooms"] == 1


def test_a_fraction_limits_this_process(report):
    assert "4.00 GiB allowed" in report["over the fraction"]


def test_only_a_device_that_is_used_gets_a_context(report):
    assert report["contexts"] == [True, False]


def test_a_device_is_named_alike_by_torch_and_nvml(report, simgpu):
    name, uuid, total = report["device 1"]
    with simgpu.nvml(simgpu.environment()):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(1)
        assert pynvml.nvmlDeviceGetUUID(handle) == f"GPU-{uuid}"
        assert pynvml.nvmlDeviceGetName(handle) == name
        assert pynvml.nvmlDeviceGetMemoryInfo(handle).total == total
        assert list(pynvml.nvmlDeviceGetCudaComputeCapability(handle)) == report["capability"]


def test_events_measure_time(report):
    between, around = report["milliseconds"]
    assert 19.9 <= between <= around  # two clocks, one of them in float32


def test_streams_are_distinct(report):
    assert report["streams differ"]


def test_bytes_survive_the_way_to_the_device_and_back(report):
    assert report["copied"] == list(range(10))


def test_an_mlp_trains_and_holds_parameters_gradients_state_and_two_workspaces(report):
    parameters = 4 * (784 * 128 + 128 + 128 * 10 + 10)
    steps_counted = 4 * 4
    assert report["parameters"] == parameters
    assert report["trained"] == 3 * parameters + steps_counted + 2 * WORKSPACE


def test_without_a_device_torch_has_no_cuda(simgpu):
    script = "import torch; print(torch.cuda.is_available(), torch.cuda.device_count())"
    assert simgpu.run_torch(script, simgpu.environment(devices=0)) == "False 0\n"


HOLDER = """
import signal, torch
held = torch.empty(4 << 30, dtype=torch.uint8, device="cuda:0")
print(torch.cuda.get_device_properties(0).uuid, torch.cuda.device_count(), flush=True)
signal.pause()
"""

ALLOCATION = """
import ctypes
runtime, pointer = ctypes.CDLL("libsimcuda.so"), ctypes.c_void_p()
runtime.cudaSetDevice(1)
print(runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(4 << 30)))
"""


def test_a_killed_torch_process_gives_its_memory_back_to_the_others(simgpu):
    machine = simgpu.environment()
    holder = simgpu.fork(HOLDER, machine | {"CUDA_VISIBLE_DEVICES": "1,0"})
    with simgpu.nvml(machine):
        uuid, devices = holder.first_line().split()
        pynvml.nvmlInit()
        gpu = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        assert (pynvml.nvmlDeviceGetIndex(gpu), devices) == (1, "2")
        (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)
        assert (process.pid, process.usedGpuMemory) == (holder.pid, CONTEXT + 4 * GIB)
        assert simgpu.run(ALLOCATION, machine) == "2\n"  # cudaErrorMemoryAllocation
        holder.kill()  # and still a zombie
        assert pynvml.nvmlDeviceGetComputeRunningProcesses(gpu) == []
        assert simgpu.run(ALLOCATION, machine) == "0\n"
