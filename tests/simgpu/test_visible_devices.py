"""CUDA_VISIBLE_DEVICES: which devices of the machine CUDA shows a process, and in which order."""

from __future__ import annotations

import pytest

DEVICES = """
import ctypes
driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
driver.cuDeviceGetCount(ctypes.byref(count))
for ordinal in range(count.value):
    uuid = ctypes.create_string_buffer(16)
    driver.cuDeviceGetUuid_v2(uuid, ordinal)
    print(uuid.raw[0] - 0xA0, end="" if uuid.raw[15] == 0 else f".{uuid.raw[15] - 1}")
    print(end=" ")
"""

UUID_OF_1 = "GPU-a153494d-4750-4055-8000-000000000000"
INSTANCE_1_OF_0 = "MIG-a053494d-4750-4055-8000-000000000002"


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, "0 1 2"),
        ("2,0", "2 0"),
        (UUID_OF_1, "1"),
        ("GPU-a2,GPU-a0", "2 0"),
        ("1,7,0", "1"),
        ("0,-1,1", "0"),
        ("GPU-a,0", ""),
        ("1,1", ""),
        ("", ""),
    ],
    ids=[
        "all",
        "any order",
        "by UUID",
        "by a UUID's beginning",
        "cut at a number that is none",
        "cut at minus one",
        "a beginning of several",
        "named twice",
        "none",
    ],
)
def test_cuda_numbers_what_the_variable_lets_through(simgpu, visible, devices):
    machine = simgpu.environment(devices=3, visible=visible)
    assert simgpu.run(DEVICES, machine).strip() == devices


@pytest.mark.parametrize(
    ("visible", "devices"), [(None, "0.0 1"), ("1,0", "1 0.0"), (INSTANCE_1_OF_0, "0.1")]
)
def test_of_a_split_device_cuda_shows_one_instance(simgpu, visible, devices):
    machine = simgpu.environment(mig="0:2", visible=visible)
    assert simgpu.run(DEVICES, machine).strip() == devices


def test_numbers_count_the_fastest_device_first_or_by_the_bus(simgpu):
    machine = simgpu.environment(devices=3, fastest=1)
    assert simgpu.run(DEVICES, machine).strip() == "1 0 2"
    assert simgpu.run(DEVICES, machine | {"CUDA_VISIBLE_DEVICES": "2,0"}).strip() == "2 1"
    by_bus = machine | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert simgpu.run(DEVICES, by_bus).strip() == "0 1 2"
