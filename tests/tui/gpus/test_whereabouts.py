"""On which GPU, and on which instance of it, the training runs."""

from __future__ import annotations

from gpu_table import GIB, make_gpu
from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.protocol.messages import Device, DeviceMemory
from vramtop.tui.gpus.whereabouts import Whereabouts, accounts, find

OURS = 7


def part(slot: int, *pids: int, total: int = 10 * GIB) -> Gpu:
    processes = tuple(GpuProcess(pid, GIB) for pid in pids)
    return Gpu(slot, f"MIG-{slot}", total=total, used=0, free=total, processes=processes)


def device(uuid: str | None, total: int = 10 * GIB) -> Device:
    return Device("cuda:0", "X100", total, uuid)


def test_a_whole_gpu_is_found_by_its_uuid() -> None:
    gpus = (make_gpu(0), make_gpu(1))
    assert find(gpus, device("GPU-1"), OURS) == Whereabouts(gpus[1], gpus[1])
    assert find(gpus, device("GPU-2"), OURS) is None
    assert find(gpus, device(None), OURS) is None
    assert find(gpus, None, OURS) is None


def test_an_instance_is_found_by_the_uuid_that_cuda_tells_of_it() -> None:
    split = make_gpu(1, instances=(part(3), part(4)))
    for uuid in ("GPU-4", "MIG-4"):  # CUDA tells the bytes alone
        found = find((make_gpu(0), split), device(uuid), OURS)
        assert found == Whereabouts(split, split.instances[1])


def test_where_cuda_tells_the_whole_gpus_uuid_the_process_tells_the_instance() -> None:
    split = make_gpu(1, instances=(part(3), part(4, OURS)))
    assert find((split,), device("GPU-1"), OURS) == Whereabouts(split, split.instances[1])


def test_where_the_process_is_not_listed_the_size_may_tell_the_instance() -> None:
    split = make_gpu(1, instances=(part(3), part(4, total=20 * GIB)))
    found = find((split,), device("GPU-1", 20 * GIB), OURS)
    assert found == Whereabouts(split, split.instances[1])


def test_of_instances_that_are_alike_none_is_guessed() -> None:
    split = make_gpu(1, instances=(part(3), part(4)))
    assert find((split,), device("GPU-1"), OURS) == Whereabouts(split, None)


def test_nvml_tells_of_memory_before_cuda_does() -> None:
    gpu, memory = make_gpu(0), DeviceMemory(80 * GIB, GIB)
    known = accounts(Whereabouts(gpu, gpu), memory)
    assert known is not None
    assert (known.gpu, known.by_cuda) == (gpu, False)


def test_cuda_tells_of_memory_that_nvml_does_not() -> None:
    gpu = make_gpu(0, GpuProcess(OURS, GIB), total=None, used=None, free=None, reserved=None)
    for where in (Whereabouts(gpu, gpu), Whereabouts(gpu, None), None):
        known = accounts(where, DeviceMemory(120 * GIB, 100 * GIB))
        assert known is not None
        assert known.by_cuda
        assert (known.gpu.total, known.gpu.in_use, known.gpu.free) == (
            120 * GIB, 20 * GIB, 100 * GIB,
        )  # fmt: skip
    assert accounts(Whereabouts(gpu, gpu), None) is None
