"""The GPUs and their processes as they are printed once."""

from __future__ import annotations

import pytest
from gpu_table import GIB, make_gpu
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport, Host
from vramtop.tui.headless.gpus_table import text

COMMAND = "python train.py --config a/long/path/to/base.yaml --seed 7 --epochs 90 --amp"
TRAINING = GpuProcess(
    4711, 61 * GIB, "ana", COMMAND, type="C", sm=62, bandwidth=30, cpu=140.4,
    resident=9 * GIB, started=1.0, seconds=11524, parent=4700, inside="possible",
)  # fmt: skip
FOREIGN = replace(
    TRAINING, pid=988, user="ben", used=None, sm=None, cpu=None, inside="impossible",
    obstacle="another user's",
)  # fmt: skip
HOST = Host(64, 12.3, (1.5, 2.25, 3.0), 512 * GIB, 32 * GIB, 0, 0)


def printed(*gpus: Gpu, room: int | None = None, host: Host | None = HOST) -> list[str]:
    return text(GpusReport(gpus, "580.65.06", "13.0", host=host), 0.0, room)


def test_without_a_limit_each_reading_is_printed() -> None:
    gpu = make_gpu(0, TRAINING, FOREIGN, bus="00000000:01:00.0", encoder=3, decoder=4, ecc_errors=2)
    lines = printed(gpu)
    for reading in (
        "X100 80GB", "37%", "61.0 GiB / 80.0 GiB", "76%", "54°C", "217 / 700 W", "1755", "2619",
        "31%", "P2", "3%", "4%", "00000000:01:00.0", "! 2 uncorrected ECC errors",
    ):  # fmt: skip
        assert f"  {reading}" in lines[4], reading
    (training,) = (line for line in lines if "4711" in line)
    for reading in (
        "4711", "ana", "C", "61.0 GiB", "62%", "30%", "140%", "9.00 GiB", "3:12:04", "yes", COMMAND
    ):  # fmt: skip
        assert f"  {reading}" in training, reading
    (foreign,) = (line for line in lines if "988" in line)
    assert foreign.count("N/A") == 3
    assert "  another user's  " in foreign


def test_the_first_lines_are_the_drivers_and_the_machines() -> None:
    driver, host, *_ = printed(make_gpu(0))
    assert driver.endswith(" · driver 580.65.06 · CUDA 13.0")
    assert host == "load 1.50 2.25 3.00 on 64 cores · memory 32.0 GiB of 512.0 GiB"
    swapping = replace(HOST, swap_total=GIB, swap_used=GIB // 2)
    assert printed(make_gpu(0), host=swapping)[1].endswith(" · swap 512.0 MiB of 1.00 GiB")


@pytest.mark.parametrize("room", [40, 60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_room_and_the_chief_readings_stay(room: int) -> None:
    lines = printed(make_gpu(0, TRAINING, FOREIGN), make_gpu(1), room=room)
    assert max(map(len, lines)) <= room
    if room >= 80:
        table = "\n".join(lines)
        for title in ("GPU", "load", "temp", "power", "pid", "user", "SM", "CPU", "time", "inside"):
            assert title in table
        assert sum("python train.py" in line for line in lines) == 2


def test_the_reasons_why_not_are_left_out_before_the_command() -> None:
    lines = printed(make_gpu(0, TRAINING, FOREIGN), room=80)
    (foreign,) = (line for line in lines if "988" in line)
    assert "  no  " in foreign
    assert "another user's" not in foreign
    assert "  python train.py" in foreign


def test_an_instance_has_a_line_below_its_gpu_and_its_processes() -> None:
    part = Gpu(1, "MIG-1", "NVIDIA X100 MIG 3g", 40 * GIB, None, 9 * GIB, processes=(TRAINING,))
    gpu = make_gpu(0, TRAINING, instances=(part,), mig=True)
    lines = printed(gpu)
    place = next(at for at, line in enumerate(lines) if line.startswith("  0"))
    assert lines[place + 1].startswith("0.1  X100 MIG 3g")
    assert "9.00 GiB / 40.0 GiB" in lines[place + 1]
    assert [line.split()[0] for line in lines if "4711" in line] == ["0.1"]


def test_a_gpu_that_is_lost_says_so_and_keeps_its_place() -> None:
    gone = Gpu(
        1, "GPU-1", "NVIDIA GeForce RTX 4090", trouble="the GPU is lost", bus="00000000:02:00.0"
    )
    lines = printed(make_gpu(0), gone, make_gpu(2, temperature=93, slowdown_at=90), room=80)
    assert [line.split()[0] for line in lines[4:7]] == ["0", "1", "2"]
    assert lines[5].endswith("the GPU is lost")
    assert "N/A" not in lines[5]
    assert lines[6].endswith("! 93°C")


def test_a_gpu_without_a_list_says_why_and_one_without_processes_that_there_are_none() -> None:
    refused = make_gpu(0, processes=None, refused={"processes": "Not Supported"})
    assert printed(refused)[-1] == "GPU 0: processes not available: Not Supported"
    assert printed(make_gpu(0))[-1] == "no process holds memory on a GPU"
