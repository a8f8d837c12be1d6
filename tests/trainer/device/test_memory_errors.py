"""Errors that mean out of memory by what the device reports, on a simulated GPU."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation import SimulatedGpu

MIB = 2**20
TAKEN = 1110 * MIB  # what the driver and a context take of a device

# The error of PyTorch 2.11 where NVML refuses the list of processes.
ASSERTION = """
import json, torch
from vramtop.observer import denials
from vramtop.trainer.device import memory
from vramtop.trainer.device.memory_errors import is_out_of_memory
assertion = RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp"')
device = torch.device("cuda", 0)
torch.cuda.set_device(device)
"""
AFTER_A_RETRY = f"""{ASSERTION}
memory.enforce(device, 100 * 2**20)
answers = [is_out_of_memory(assertion)]
kept = torch.empty(60 * 2**20, dtype=torch.uint8, device=device)
del kept
larger = torch.empty(80 * 2**20, dtype=torch.uint8, device=device)  # the cache goes back first
assert torch.cuda.memory_stats(device)["num_alloc_retries"] == 1
assert denials.take() is None
print(json.dumps([*answers, is_out_of_memory(assertion), is_out_of_memory(assertion)]))
"""
ON_A_FULL_GPU = f"""{ASSERTION}
memory.enforce(device, None)
cublas = RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate`")
answers = [is_out_of_memory(cublas)]
most = torch.empty(1024 * 2**20, dtype=torch.uint8, device=device)
answers.append(is_out_of_memory(cublas))
answers.append(is_out_of_memory(NotImplementedError("no such operator")))
print(json.dumps(answers))
"""


def test_an_allocator_that_had_to_give_its_cache_back_tells_an_assertion_apart(
    simgpu: SimulatedGpu,
) -> None:
    printed = simgpu.run(AFTER_A_RETRY, simgpu.environment(devices=1))
    assert json.loads(printed) == [False, True, False]


def test_on_a_full_gpu_an_error_of_a_library_is_out_of_memory(simgpu: SimulatedGpu) -> None:
    machine = simgpu.environment(total=TAKEN + 1100 * MIB, devices=1)
    assert json.loads(simgpu.run(ON_A_FULL_GPU, machine)) == [False, True, False]
