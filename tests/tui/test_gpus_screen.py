"""The screen of all GPUs, over a training and alone."""

from __future__ import annotations

from typing import Any

import pytest
from made import HELLO, configured, measured, sample
from msgspec.structs import replace
from scripted import BEGUN, Script, begin, seen
from vramtop.trainer.protocol import Device
from vramtop.trainer.settings import Settings
from vramtop.tui.app import VramtopApp
from vramtop.tui.cards import Card, CardsReport, GpuProcess, lost
from vramtop.tui.gpu_app import GpuApp
from vramtop.tui.screens.gpus import TrainingGpus
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.prompt import Prompt

GIB = 2**30
OURS = HELLO.pid


def card(index: int, *processes: GpuProcess, **values: Any) -> Card:
    used = sum(process.used or 0 for process in processes)
    usual = Card(
        index=index,
        uuid=f"GPU-{index}",
        name="NVIDIA X100 80GB",
        total=80 * GIB,
        reserved=GIB,
        used=used,
        free=79 * GIB - used,
        gpu_utilization=37,
        temperature=54,
        power=217.0,
        power_cap=700.0,
        sm_clock=1755,
        memory_clock=2619,
        fan=31,
        performance_state=2,
        ecc_errors=0,
        throttled=(),
        processes=processes,
    )
    return replace(usual, **values)


def report(*cards: Card, **values: Any) -> CardsReport:
    return CardsReport(cards, "580.65.06", "13.0", **values)


def line_of(text: str, start: str) -> str:
    """The line of the GPU table that begins with this, the marks aside."""
    lines = [line for line in text.splitlines() if line[3:].lstrip().startswith(start)]
    assert lines, f"no {start!r} in\n{text}"
    return lines[0]


def marked(line: str) -> bool:
    return "▸" in line[:4]


def chosen(text: str) -> list[str]:
    """The index of each GPU that the cursor stands at."""
    return [line.split()[1] for line in text.replace("▸", " ").splitlines() if "›" in line[:3]]


DEVICE = Device("cuda:0", "X100 80GB", 80 * GIB, "GPU-0")
TRAINING = (
    replace(HELLO, device=DEVICE),
    replace(configured(), device=DEVICE),
    sample(),
    measured(),
)
TWO = report(card(0, GpuProcess(OURS, GIB, "me", "python -m trainer")), card(1))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def app(script: Script, monkeypatch: pytest.MonkeyPatch) -> VramtopApp:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    async def start() -> Script:
        return script

    return VramtopApp(Settings(), start)


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


# ---- alone --------------------------------------------------------------------------------------


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
        await begin(pilot, CardsReport(trouble=trouble))
        told = [line.strip() for line in seen(alone).splitlines() if line.strip()]
        assert told[0] == trouble
        assert len(told) == 2  # the keys are the other
        await pilot.press("down", "up", "enter", "t")
        assert alone.is_running


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_one_gpu_tells_all_that_it_knows(alone: GpuApp, size: tuple[int, int]) -> None:
    processes = (GpuProcess(4242, 23 * GIB, "ann", "train"),)
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(card(0, *processes)))
        screen = seen(alone)
        for told in ("NVIDIA driver 580.65.06 · CUDA 13.0", "1 GPU ", "X100 80GB", "37%", "54°C"):
            assert told in screen
        for told in ("217/700 W", "1755/2619", "P2", "31%", "23.0G/80.0G"):
            assert told in screen
        for told in ("4242", "ann", "23.0 GiB", "train"):
            assert told in screen


async def test_the_bar_is_as_long_as_what_is_held(alone: GpuApp) -> None:
    half = GpuProcess(4242, 39 * GIB)
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(card(0, half)))
        line = line_of(seen(alone), "0 X100")
        start = line.index("G/80.0G  ") + len("G/80.0G  ")
        bar = line[start:-1]  # the screen has a margin of one column
        assert len(bar) > 30
        assert abs(bar.count("▓") + bar.count("▒") - len(bar) / 2) <= 1
        assert "▓ driver 1.00G  ▒ others 39.0G    free 40.0G" in seen(alone)


async def test_eight_gpus_fit_in_a_small_terminal_and_the_processes_are_counted(
    alone: GpuApp,
) -> None:
    cards = [
        card(gpu, *(GpuProcess(1000 * gpu + number, GIB) for number in range(3)))
        for gpu in range(8)
    ]
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*cards))
        screen = seen(alone)
        for gpu in range(8):
            assert "3.00G/80.0G" in line_of(screen, f"{gpu} X100")
        rows = sum("1.00 GiB" in line for line in screen.splitlines())
        assert rows > 5
        assert f"… and {24 - rows} more" in screen


async def test_a_lost_gpu_keeps_its_place_and_recovers(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(card(0), card(1)))
        await begin(pilot, report(card(0), lost(card(1), "the GPU is lost")))
        alone.paint()
        await pilot.pause()
        assert "the GPU is lost" in line_of(seen(alone), "1 X100 80GB")
        assert "37%" in line_of(seen(alone), "0 X100")
        await begin(pilot, report(card(0), card(1)))
        alone.paint()
        await pilot.pause()
        assert "37%" in line_of(seen(alone), "1 X100")
        assert "lost" not in seen(alone)


async def test_what_nvml_does_not_tell_is_not_available_and_never_zero(alone: GpuApp) -> None:
    untold = Card(0, refused={"memory": "Not Supported", "processes": "No Permission"})
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, CardsReport((untold,)))
        screen = seen(alone)
        assert "driver N/A · CUDA N/A" in screen
        assert line_of(screen, "0 N/A").split()[1:] == ["0", *["N/A"] * 8]
        assert "memory not available: Not Supported" in screen
        assert "processes not available: No Permission" in screen


async def test_what_is_wrong_with_a_gpu_stands_out_on_its_own_line(alone: GpuApp) -> None:
    wrong = [card(gpu, throttled=("software power cap",), ecc_errors=2) for gpu in range(8)]
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*wrong))
        assert seen(alone).count("software power cap  2 uncorrected ECC errors") == 8
    healthy = GpuApp()
    async with healthy.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(card(0)))
        assert "ECC" not in seen(healthy)


async def test_instances_stand_below_their_gpu_with_memory_and_processes(alone: GpuApp) -> None:
    inside, outside = GpuProcess(41, GIB, "ann", "in"), GpuProcess(42, GIB, "bob", "out")
    part = Card(3, "MIG-3", "X100 MIG 1g.10gb", 10 * GIB, 0, GIB, 9 * GIB, processes=(inside,))
    whole = card(0, inside, outside, mig=True, instances=(part,))
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(whole, card(1)))
        lines = seen(alone).splitlines()
        (at,) = [row for row, line in enumerate(lines) if "└ 3 1g.10gb" in line]
        assert "1.00G/10.0G" in lines[at]
        assert "0 X100" in lines[at - 2]  # its own line and its details
        assert line_of(seen(alone), "0.3").split()[:3] == ["0.3", "41", "ann"]
        rows = [line.split() for line in lines if "bob" in line]
        assert [row[:2] for row in rows] == [["0", "42"]]


async def test_a_process_that_the_system_does_not_know_keeps_its_pid(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(card(0, GpuProcess(4242))))
        assert line_of(seen(alone), "0     4242").split() == ["0", "4242", "N/A", "N/A", "N/A"]


async def test_gpus_without_processes_say_so(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(card(0)))
        assert "no process holds memory on a GPU" in seen(alone)


async def test_a_screen_too_small_says_so_kindly(alone: GpuApp) -> None:
    async with alone.run_test(size=(59, 24)) as pilot:
        await begin(pilot, report(card(0)))
        assert "A little more room, please" in seen(alone)
        assert "X100" not in seen(alone)


async def test_more_lines_than_there_is_room_for_follow_the_cursor(alone: GpuApp) -> None:
    parts = tuple(Card(slot, f"MIG-{slot}", "X100 MIG 1g") for slot in range(7))
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, report(*(card(gpu, instances=parts) for gpu in range(8))))
        assert "6 X100" not in seen(alone)
        shown = sum("└" in line or "X100" in line for line in seen(alone).splitlines())
        assert f"… and {64 - shown} more lines" in seen(alone)
        await pilot.press(*["down"] * 6)
        await pilot.pause()
        assert chosen(seen(alone)) == ["6"]
        assert "more lines" in seen(alone)


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
        assert titles == ["Theme: next", "Refresh rate: next", "Help", "Quit"]


async def test_nothing_is_said_to_start(alone: GpuApp) -> None:
    assert alone.state.life == "none"
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(card(0)))
        assert "start" not in seen(alone)


# ---- over a training ----------------------------------------------------------------------------


async def test_g_opens_the_screen_and_closes_it(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        for key in ("g", "escape"):
            await pilot.press("g")
            assert isinstance(app.screen, TrainingGpus)
            assert "2 GPUs" in seen(app)
            await pilot.press(key)
            assert not isinstance(app.screen, TrainingGpus)
            assert "Parameters" in seen(app)


async def test_our_gpu_and_our_process_are_marked(app: VramtopApp) -> None:
    foreign = GpuProcess(4242, GIB, "ann", "train")
    cards = report(card(0, GpuProcess(OURS, 2 * GIB, "me", "trainer")), card(1, foreign))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, cards)
        await pilot.press("g")
        screen = seen(app)
        assert marked(line_of(screen, "0 X100"))
        assert not marked(line_of(screen, "1 X100"))
        assert marked(line_of(screen, f"0        {OURS} "))
        assert "this session's trainer" in line_of(screen, f"0        {OURS} ")
        assert not marked(line_of(screen, "1     4242"))


async def test_the_screen_follows_what_nvml_says(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        app.receive(report(TWO.cards[0], card(1, gpu_utilization=99)))
        app.paint()
        await pilot.pause()
        assert "99%" in line_of(seen(app), "1 X100")


async def test_enter_moves_the_training_to_the_chosen_gpu(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        assert chosen(seen(app)) == ["0"]
        await pilot.press("down", "down", "enter")
        assert chosen(seen(app)) == ["1"]
    assert script.changes == [{"device": "cuda:1"}]


async def test_a_click_chooses_too(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        lines = seen(app).splitlines()
        (row,) = [at for at, line in enumerate(lines) if "1 X100" in line]
        await pilot.click(offset=(10, row))
        await pilot.pause()
        assert chosen(seen(app)) == ["1"]
        await pilot.press("enter")
    assert script.changes == [{"device": "cuda:1"}]


async def test_a_gpu_has_the_number_that_cuda_visible_devices_gives_it(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    there = replace(DEVICE, uuid="GPU-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, replace(HELLO, device=there), replace(configured(), device=there), TWO)
        await pilot.press("g", "enter")
    assert script.changes == [{"device": "cuda:1"}]


async def test_a_gpu_that_the_worker_cannot_see_says_so(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "down", "enter")
        await pilot.pause()
        assert "the worker cannot see GPU 1" in seen(app)
    assert script.changes == []


async def test_where_the_training_is_already_it_stays(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "enter")
        await pilot.pause()
        assert "the training is on GPU 0" in seen(app)
    assert script.changes == []


async def test_after_a_move_the_mark_stands_at_the_other_gpu(app: VramtopApp) -> None:
    there = Device("cuda:1", "X100 80GB", 80 * GIB, "GPU-1")
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        app.receive(replace(configured(device="cuda:1"), device=there))
        await pilot.pause()
        assert marked(line_of(seen(app), "1 X100"))
        assert not marked(line_of(seen(app), "0 X100"))
        assert "cuda:1" in seen(app).splitlines()[0]
        assert app.state.news is not None
        assert app.state.news.text == "device auto → cuda:1"
        assert app.state.measured is None  # those bytes were another device's


async def test_the_keys_of_the_training_go_on_working(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "plus", "b")
        assert isinstance(app.screen, Prompt)
        await pilot.press("escape")
        assert isinstance(app.screen, TrainingGpus)
    assert script.changes == [{"batch_size": 128}]


async def test_without_a_gpu_enter_moves_nothing(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, CardsReport(trouble="no NVIDIA driver here"))
        await pilot.press("g", "down", "enter")
        assert "no NVIDIA driver here" in seen(app)
    assert script.changes == []
