"""Memory of a CPU and of an Apple GPU, and errors of all kinds, without any device."""

from __future__ import annotations

import pytest
import torch
from vramtop.accounting.allocator import allocator_memory
from vramtop.accounting.records import AllocatorFigures
from vramtop.observer.reader import allocator_reader
from vramtop.protocol.split import Reading
from vramtop.trainer.device import memory
from vramtop.trainer.device.container import Allowance
from vramtop.trainer.device.memory_errors import is_out_of_memory


def test_a_cpu_has_no_allocator_to_read_and_keeps_no_cache() -> None:
    assert allocator_reader(torch.device("cpu")) is None
    assert memory.release(torch.device("cpu")) is None


def test_an_apple_gpus_allocator_reports_live_and_reserved_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 300)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 1000)
    reader = allocator_reader(torch.device("mps"))
    assert reader is not None
    reader.start()
    reader.boundary("zero_grad")
    found = allocator_memory(AllocatorFigures(*reader.end().figures), None)
    assert found.end == Reading(None, 300)
    assert (found.reserved, found.cache, found.rounding) == (1000, 700, None)
    assert (found.workspace, found.requested_peak, found.retries) == (None, None, None)


def test_an_apple_gpus_cache_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [1000, 400]
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: held.pop(0))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    assert memory.release(torch.device("mps")) == 600


def accelerator_error(code: int) -> RuntimeError:
    """The error that PyTorch raises for CUDA's error of this number."""
    error = torch.AcceleratorError("CUDA error: of some kind")
    error.error_code = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB."),
        accelerator_error(2),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_each_error_that_means_out_of_memory_is_recognised(error: RuntimeError) -> None:
    assert is_out_of_memory(error)


def test_other_errors_are_not_out_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(accelerator_error(700))  # an illegal address


def test_the_limit_of_a_container_limits_a_step_on_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = torch.device("cpu")
    monkeypatch.setattr(memory, "allowance", lambda: Allowance(limit=1000, available=600))
    memory._container_room.cache_clear()
    try:
        assert (memory.enforce(host, None), memory.enforce(host, 50)) == (150, 50)
        assert (memory.available(host), memory.limit(host, None)) == (150, 150)
    finally:
        memory._container_room.cache_clear()
