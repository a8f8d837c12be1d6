"""The screen of all GPUs, alone."""

from __future__ import annotations

import pytest
from gpu_table import GIB, chosen, line_of, make_gpu, report
from scripted import begin, painted, seen
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.gpus.conclusions import lost
from vramtop.tui.screens.help import Help


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


async def test_before_nvml_has_answered_it_is_being_asked(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "asking NVML…" in seen(alone)
        assert "worker" not in seen(alone)


@pytest.mark.parametrize(
    "trouble", ["no NVIDIA driver here", "the NVIDIA driver finds no GPU", "version mismatch"]
)
async def test_where_nvml_has_nothing_one_line_says_why(alone: GpuApp, trouble: str) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, GpusReport(trouble=trouble))
        lines = [line.strip() for line in seen(alone).splitlines() if line.strip()]
        assert lines[0] == trouble
        assert len(lines) == 2  # the keys are the other
        await pilot.press("down", "up", "enter", "t")
        assert alone.is_running


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_one_gpu_tells_all_that_it_knows(alone: GpuApp, size: tuple[int, int]) -> None:
    processes = (GpuProcess(4242, 23 * GIB, "ann", "train"),)
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(make_gpu(0, *processes)))
        screen = seen(alone)
        for text in ("NVIDIA driver 580.65.06 · CUDA 13.0", "1 GPU ", "X100 80GB", "37%", "54°C"):
            assert text in screen
        for text in ("217/700 W", "1755/2619", "P2", "31%", "24.0G/80.0G"):
            assert text in screen
        for text in ("4242", "ann", "23.0 GiB" if size[0] > 100 else "23.0G", "train"):
            assert text in screen


async def test_the_bar_is_as_long_as_what_is_held(alone: GpuApp) -> None:
    half = GpuProcess(4242, 39 * GIB)
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0, half)))
        line = line_of(seen(alone), "0 X100")
        start = line.index("G/80.0G  ") + len("G/80.0G  ")
        bar = line[start:-1]  # the screen has a margin of one column
        assert len(bar) > 20
        assert abs(bar.count("▓") + bar.count("▒") - len(bar) / 2) <= 1
        assert "▓ driver 1.00G  ▒ others 39.0G    free 40.0G" in seen(alone)


async def test_eight_gpus_fit_in_a_small_terminal_and_the_processes_are_counted(
    alone: GpuApp,
) -> None:
    gpus = [
        make_gpu(gpu, *(GpuProcess(1000 * gpu + number, GIB) for number in range(3)))
        for gpu in range(8)
    ]
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*gpus))
        screen = seen(alone)
        for gpu in range(8):
            assert "4.00G/80.0G" in line_of(screen, f"{gpu} X100")
        rows = sum("1.00G" in line for line in screen.splitlines())
        assert rows > 5
        assert f"… {24 - rows} more below" in screen


async def test_a_lost_gpu_keeps_its_place_and_recovers(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(make_gpu(0), make_gpu(1)))
        await painted(pilot, report(make_gpu(0), lost(make_gpu(1), "the GPU is lost")))
        assert "the GPU is lost" in line_of(seen(alone), "1 X100 80GB")
        assert "37%" in line_of(seen(alone), "0 X100")
        await painted(pilot, report(make_gpu(0), make_gpu(1)))
        assert "37%" in line_of(seen(alone), "1 X100")
        assert "lost" not in seen(alone)


async def test_what_nvml_does_not_tell_is_not_available_and_never_zero(alone: GpuApp) -> None:
    unknown = Gpu(0, refused={"memory": "Not Supported", "processes": "No Permission"})
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, GpusReport((unknown,)))
        screen = seen(alone)
        assert "driver N/A · CUDA N/A" in screen
        assert line_of(screen, "0 N/A").split()[1:] == ["0", *["N/A"] * 9]
        assert "memory not available: Not Supported" in screen
        assert "processes not available: No Permission" in screen


async def test_what_is_wrong_with_a_gpu_stands_out_on_its_own_line(alone: GpuApp) -> None:
    wrong = [make_gpu(gpu, throttled=("software power cap",), ecc_errors=2) for gpu in range(8)]
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*wrong))
        assert seen(alone).count("! 2 uncorrected ECC errors  ! software power cap") == 8
    healthy = GpuApp()
    async with healthy.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        assert "uncorrected" not in seen(healthy)
        assert "ECC 0" in seen(healthy)


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40)])
async def test_a_hot_gpu_is_marked_in_its_column_and_says_where_it_slows_down(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    hot = make_gpu(0, temperature=91, slowdown_at=90, throttled=("hardware slowdown",))
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(hot, make_gpu(1)))
        assert "!91°C" in line_of(seen(alone), "0 X100")
        assert "! 91°C, slowdown at 90°C  ! hardware slowdown" in seen(alone)
        assert " 54°C" in line_of(seen(alone), "1 X100")
        assert seen(alone).count("!") == 3


async def test_instances_of_a_gpu_in_trouble_stay_on_the_screen(alone: GpuApp) -> None:
    parts = (
        Gpu(0, "MIG-0", "X100 MIG 1g.10gb", 10 * GIB, 0, GIB, 9 * GIB),
        Gpu(1, trouble="lost"),
    )
    split = make_gpu(0, trouble="the GPU is lost", instances=parts)
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(split))
        assert "the GPU is lost" in line_of(seen(alone), "0 X100")
        assert "1.00G/10.0G" in seen(alone)
        assert "└ 1" in seen(alone)


async def test_instances_stand_below_their_gpu_with_memory_and_processes(alone: GpuApp) -> None:
    inside, outside = GpuProcess(41, GIB, "ann", "in"), GpuProcess(42, GIB, "bob", "out")
    part = Gpu(3, "MIG-3", "X100 MIG 1g.10gb", 10 * GIB, 0, GIB, 9 * GIB, processes=(inside,))
    whole = make_gpu(0, inside, outside, mig=True, instances=(part,))
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(whole, make_gpu(1)))
        lines = seen(alone).splitlines()
        (at,) = [row for row, line in enumerate(lines) if "└ 3 1g.10gb" in line]
        assert "1.00G/10.0G" in lines[at]
        assert "0 X100" in lines[at - 2]  # its own line and its details
        assert line_of(seen(alone), "0.3").split()[:4] == ["0.3", "41", "N/A", "ann"]
        rows = [line.split() for line in lines if "bob" in line]
        assert [row[:2] for row in rows] == [["0", "42"]]


async def test_a_process_that_the_system_does_not_know_keeps_its_pid(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(make_gpu(0, GpuProcess(4242))))
        assert line_of(seen(alone), "0   4242").split() == ["0", "4242", *["N/A"] * 8]


async def test_gpus_without_processes_say_so(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        assert "no process holds memory on a GPU" in seen(alone)


async def test_a_screen_too_small_says_so_kindly(alone: GpuApp) -> None:
    async with alone.run_test(size=(59, 24)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        assert "A little more room, please" in seen(alone)
        assert "X100" not in seen(alone)


async def test_more_lines_than_there_is_room_for_follow_the_cursor(alone: GpuApp) -> None:
    parts = tuple(Gpu(slot, f"MIG-{slot}", "X100 MIG 1g") for slot in range(7))
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*(make_gpu(gpu, instances=parts) for gpu in range(8))))
        assert "6 X100" not in seen(alone)
        shown = sum("└" in line or "X100" in line for line in seen(alone).splitlines())
        assert f"… {64 - shown} more below" in seen(alone)
        await pilot.press(*["down"] * 6 * 8)
        await pilot.pause()
        assert chosen(seen(alone)) == ["6"]
        assert "more above" in seen(alone)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_has_exit_code_0(alone: GpuApp, key: str) -> None:
    async with alone.run_test() as pilot:
        await pilot.press(key)
    assert alone.return_code == 0


async def test_help_tells_only_of_keys_that_do_something(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(alone.screen, Help)
        assert "choose a GPU" in seen(alone)
        assert "batch" not in seen(alone)
        await pilot.press("escape")
        assert not isinstance(alone.screen, Help)
        titles = [command.title for command in alone.get_system_commands(alone.screen)]
        assert titles == [
            "Processes: sort",
            "Processes: the other way round",
            "Processes: filter",
            "Processes: next user's",
            "Processes: tree",
            "Processes: end",
            "Process: look inside",
            "Picture: hold or go on",
            "Theme: next",
            "Refresh rate: next",
            "Screen: save",
            "Help",
            "Quit",
        ]


async def test_nothing_is_said_to_start(alone: GpuApp) -> None:
    assert alone.state.life == "none"
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        assert "start" not in seen(alone)
