"""Who holds a device's memory: the parts add up to the whole for any readings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.protocol.split import AllocatorMemory, Reading
from vramtop.tui.gpus.holders import HolderBytes, of_allocator, of_gpu

MIB = 2**20
OURS, OTHER = 77, 99


def memory(requested: int, allocated: int, reserved: int, workspace: int = 0) -> AllocatorMemory:
    end = {"zero_grad": Reading(requested, allocated)}
    return AllocatorMemory(end, reserved, 0, allocated, requested, workspace, 0, 0)


def make_gpu(*, total: int, reserved: int | None, free: int, **used: int | None) -> Gpu:
    processes = tuple(GpuProcess(int(pid[1:]), size) for pid, size in used.items())
    return Gpu(0, "GPU-1", "a GPU", total, reserved, None, free, processes=processes)


STEP = memory(66 * MIB, 67 * MIB, 70 * MIB, workspace=64 * MIB)


def test_every_byte_of_a_gpu_has_its_holder() -> None:
    seen = make_gpu(
        total=8192 * MIB, reserved=600 * MIB, free=5988 * MIB, p77=580 * MIB, p99=1024 * MIB
    )
    assert of_gpu(seen, OURS, STEP) == (
        HolderBytes("driver", 600 * MIB),
        HolderBytes("others", 1024 * MIB),
        HolderBytes("context", 510 * MIB),
        HolderBytes("workspace", 64 * MIB),
        HolderBytes("step", 2 * MIB),
        HolderBytes("rounding", MIB),
        HolderBytes("cache", 3 * MIB),
        HolderBytes("free", 5988 * MIB),
    )


def test_in_a_container_that_hides_our_process_the_context_is_among_the_others() -> None:
    seen = make_gpu(total=8192 * MIB, reserved=600 * MIB, free=5988 * MIB, p99=1024 * MIB)
    parts = {part.holder: part.bytes for part in of_gpu(seen, OURS, STEP) or ()}
    assert parts["others and context"] == (8192 - 600 - 5988 - 70) * MIB
    assert "context" not in parts
    assert "others" not in parts
    assert parts["workspace"] == 64 * MIB


def test_before_the_first_step_all_of_ours_is_the_context() -> None:
    seen = make_gpu(total=8192 * MIB, reserved=600 * MIB, free=7000 * MIB, p77=510 * MIB)
    parts = {part.holder: part.bytes for part in of_gpu(seen, OURS, None) or ()}
    assert parts["context"] == 510 * MIB


def test_a_gpu_that_does_not_tell_its_memory_has_no_bar() -> None:
    assert of_gpu(Gpu(0), OURS, STEP) is None


def test_without_nvml_the_rest_is_others_or_free() -> None:
    assert of_allocator(8192 * MIB, STEP)[-1] == HolderBytes("others or free", (8192 - 70) * MIB)


BYTES = st.integers(0, 2**40)


@given(
    frame=st.tuples(BYTES, st.none() | BYTES, BYTES),
    used=st.tuples(st.none() | BYTES, st.none() | BYTES),
    sizes=st.lists(BYTES, min_size=4, max_size=4),
)
def test_numbers_of_different_moments_still_add_up(
    frame: tuple[int, int | None, int], used: tuple[int | None, int | None], sizes: list[int]
) -> None:
    """NVML's sample and the allocator's may be a second apart, and one of them out of date."""
    (total, reserved, free), (ours, others) = frame, used
    workspace, requested, allocated, kept = (sum(sizes[:count]) for count in range(1, 5))
    seen = make_gpu(total=total, reserved=reserved, free=free, p77=ours, p99=others)
    parts = of_gpu(seen, OURS, memory(requested, allocated, kept, workspace))
    assert parts is not None
    assert sum(part.bytes for part in parts) == total
    assert all(part.bytes > 0 for part in parts)
