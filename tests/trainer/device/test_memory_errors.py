"""Errors that mean out of memory by the state of the device, on a simulated GPU."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from simulation import SimulatedGpu

MIB = 2**20
TAKEN = 1110 * MIB  # what the driver and a context take of a device

PROGRAM = """
import json, torch
from vramtop.observer import denials
from vramtop.trainer.device import memory
from vramtop.trainer.device.memory_errors import is_out_of_memory
device = torch.device("cuda", 0)
torch.cuda.set_device(device)
MIB = 2**20

# The error of PyTorch 2.11 where NVML refuses the list of processes.
assertion = RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp"')
memory.enforce(device, 100 * MIB)
retry = [is_out_of_memory(assertion)]
kept = torch.empty(60 * MIB, dtype=torch.uint8, device=device)
del kept
larger = torch.empty(80 * MIB, dtype=torch.uint8, device=device)  # the cache goes back first
assert torch.cuda.memory_stats(device)["num_alloc_retries"] == 1
assert denials.take() is None
retry += [is_out_of_memory(assertion), is_out_of_memory(assertion)]

del larger
memory.release(device)
memory.enforce(device, None)
cublas = RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate`")
full = [is_out_of_memory(cublas)]
most = torch.empty(1024 * MIB, dtype=torch.uint8, device=device)
full += [is_out_of_memory(cublas), is_out_of_memory(NotImplementedError("no such operator"))]
print(json.dumps({"retry": retry, "full": full}))
"""


@pytest.fixture(scope="module")
def answers(simgpu: SimulatedGpu) -> dict[str, list[bool]]:
    machine = simgpu.environment(total=TAKEN + 1100 * MIB, devices=1)
    found: dict[str, list[bool]] = json.loads(simgpu.run_torch(PROGRAM, machine))
    return found


def test_an_assertion_after_the_allocator_gave_its_cache_back_is_out_of_memory_once(
    answers: dict[str, list[bool]],
) -> None:
    assert answers["retry"] == [False, True, False]


def test_on_a_full_gpu_an_error_of_a_library_is_out_of_memory(
    answers: dict[str, list[bool]],
) -> None:
    assert answers["full"] == [False, True, False]
