from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.tui.gpus.conclusions import (
    UNLISTED,
    Occupancy,
    Unavailable,
    keep_places,
    lost,
    occupancy,
    unavailable,
    used_by,
    visible,
)

GIB = 2**30
A, B, C = "GPU-aa11", "GPU-aa22", "GPU-cc33"
BYTES = st.integers(0, 2**50)


def make_gpu(index: int, uuid: str | None, **values: object) -> Gpu:
    return Gpu(index, uuid, f"GPU number {uuid}", **values)


# ---- who has the memory -------------------------------------------------------------------------


def test_reserved_others_ours_and_free_make_the_total() -> None:
    whole = Gpu(0, total=8 * GIB, reserved=GIB, used=5 * GIB, free=2 * GIB)
    assert occupancy(whole, 3 * GIB) == Occupancy(8 * GIB, GIB, 2 * GIB, 3 * GIB, 2 * GIB)


def test_memory_reserved_by_the_driver_counts_as_others_where_nvml_does_not_separate_it() -> None:
    whole = Gpu(0, total=8 * GIB, used=6 * GIB, free=2 * GIB)
    assert occupancy(whole, 3 * GIB) == Occupancy(8 * GIB, None, 3 * GIB, 3 * GIB, 2 * GIB)


def test_what_is_ours_is_among_the_others_where_nobody_tells() -> None:
    whole = Gpu(0, total=8 * GIB, reserved=GIB, used=5 * GIB, free=2 * GIB)
    assert occupancy(whole, None) == Occupancy(8 * GIB, GIB, 5 * GIB, None, 2 * GIB)


@given(total=BYTES, free=BYTES, reserved=BYTES | st.none(), ours=BYTES | st.none())
def test_the_parts_add_up_from_whatever_moments_they_come(
    total: int, free: int, reserved: int | None, ours: int | None
) -> None:
    parts = occupancy(Gpu(0, total=total, free=free, reserved=reserved), ours)
    assert parts is not None
    assert (parts.driver or 0) + parts.others + (parts.ours or 0) + parts.free == total
    assert min(parts.driver or 0, parts.others, parts.ours or 0, parts.free) >= 0


@pytest.mark.parametrize("known", [{"total": GIB}, {"free": GIB}])
def test_without_total_and_free_nothing_is_said(known: dict[str, int]) -> None:
    assert occupancy(Gpu(0, **known), 1) is None


def test_our_bytes_are_those_of_our_processes() -> None:
    processes = (GpuProcess(7, 100), GpuProcess(8, 20), GpuProcess(9, 3))
    assert used_by(Gpu(0, processes=processes), {7, 9}) == 103


@pytest.mark.parametrize("processes", [None, (), (GpuProcess(8, 5),), (GpuProcess(7, None),)])
def test_our_bytes_are_unknown_where_nvml_does_not_list_or_tell_them(
    processes: tuple[GpuProcess, ...] | None,
) -> None:
    assert used_by(Gpu(0, processes=processes), {7}) is None


# ---- CUDA_VISIBLE_DEVICES -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "devices"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2,0", [2, 0]),
        (" 1 , 2 ", [1, 2]),
        ("+1", [1]),
        ("2gpu,0x", [2, 0]),  # CUDA reads the digits at the beginning
        ("0,3,1", [0]),
        ("1,-1,0", [1]),
        ("1,,0", [1]),
        ("1,0,1", []),
        (f"{C},{A}", [2, 0]),
        ("GPU-c", [2]),
        ("GPU-aa", []),  # two begin so
        ("GPU-aa2,GPU-zz,GPU-c", [1]),
        ("GPU-c,0", [2]),
        ("0,GPU-c", [0]),
        ("GPU-c,GPU-cc", []),
        ("gpu-c", []),
    ],
)
def test_visible_devices_renumber_those_of_the_machine(
    setting: str | None, devices: list[int]
) -> None:
    assert visible([A, B, C], setting) == devices


def test_of_mig_instances_a_process_gets_one() -> None:
    uuids = [A, B, "MIG-1", "MIG-2"]
    assert visible(uuids, None) == [0, 1]
    assert visible(uuids, "MIG-2,MIG-1") == [3]
    assert visible(uuids, "2") == []


# ---- places -------------------------------------------------------------------------------------


def test_a_gpu_that_is_no_longer_listed_keeps_its_place() -> None:
    before = [make_gpu(0, A, total=GIB), make_gpu(1, B), make_gpu(2, C)]
    gpus = keep_places(before, [make_gpu(0, B), make_gpu(1, C)])
    assert [each.uuid for each in gpus] == [A, B, C]
    assert gpus[0] == lost(before[0], UNLISTED)
    assert gpus[0].total == GIB
    assert keep_places(gpus, [make_gpu(0, B), make_gpu(1, C)]) == gpus
    assert keep_places(gpus, before) == tuple(before)


def test_a_gpu_that_is_in_trouble_is_known_by_its_index() -> None:
    before = [make_gpu(0, A, total=GIB, temperature=50)]
    (now,) = keep_places(before, [Gpu(0, trouble="the GPU is lost")])
    assert now == Gpu(0, A, before[0].name, total=GIB, trouble="the GPU is lost")


def test_gpus_without_a_uuid_are_known_by_their_index() -> None:
    before = [Gpu(0, used=1), Gpu(1, used=2)]
    assert keep_places(before, [Gpu(0, used=3)]) == (Gpu(0, used=3), lost(before[1], UNLISTED))
    assert keep_places(before, [make_gpu(0, A), make_gpu(1, B)]) == (make_gpu(0, A), make_gpu(1, B))


def test_a_new_gpu_does_not_take_the_name_of_one_that_is_gone() -> None:
    gone = lost(make_gpu(1, B), UNLISTED)
    new = Gpu(1, trouble="the GPU is lost")
    assert new in keep_places([make_gpu(0, A), gone], [make_gpu(0, A), new])


# ---- what is not available -----------------------------------------------------------------------


def test_each_field_that_nvml_refuses_is_named_with_its_gpu() -> None:
    part = Gpu(3, refused={"processes": "Not Supported"})
    report = GpusReport(
        (
            make_gpu(0, A, refused={"sm_clock": "Insufficient Permissions"}, instances=(part,)),
            make_gpu(1, B, trouble="the GPU is lost"),
        ),
        refused={"driver_version": "Unknown Error"},
    )
    assert unavailable(report) == [
        Unavailable("Unknown Error", "driver_version"),
        Unavailable("Insufficient Permissions", "sm_clock", 0),
        Unavailable("Not Supported", "processes", 0, 3),
        Unavailable("the GPU is lost", None, 1),
    ]


def test_a_reason_that_all_gpus_share_is_given_once() -> None:
    gpus = tuple(lost(make_gpu(index, A), "the driver is gone") for index in range(8))
    report = GpusReport(gpus, trouble="the driver is gone")
    assert unavailable(report) == [Unavailable("the driver is gone")]
