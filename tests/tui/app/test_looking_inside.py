"""From the GPUs into a process on them, and back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gpu_table import GIB, make_gpu, report
from program import BEGUN
from scripted import Script, begin, painted, seen
from textual.pilot import Pilot
from vramtop.protocol.gpus import GpuProcess
from vramtop.protocol.observed.report import Layer, Line, Split
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.programs import inject
from vramtop.tui.programs.target import CannotAttach
from vramtop.tui.screens.gpus import GpusAlone
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.inside import InsideScreen
from vramtop.tui.worker.link import Modules, Parted, Received, Watched

TRAIN = GpuProcess(4711, 3 * GIB, "ann", "python train.py --config base.yaml")
OTHER = GpuProcess(5_000_001, GIB)  # no process of this machine has a pid as high as this
GPUS = report(make_gpu(0), make_gpu(1, TRAIN, OTHER))
WATCHED = Watched(program="train.py", pid=4711)
MODULES = Modules(
    (Layer("h.0.mlp", "MLP", 4, 4, 8, 30),), (Line("train.py:42", Split(activations=30)),)
)
SIZES = [(60, 18), (80, 24), (120, 40), (80, 7)]


class Program(Script):
    """The link to a program, which notes how often it was asked who holds what is nobody's."""

    asked = nexts = 0

    async def show_next(self) -> bool:
        self.nexts += 1
        return False

    def ask_who(self) -> None:
        self.asked += 1


@pytest.fixture
def script() -> Program:
    return Program()


@pytest.fixture
def entered() -> list[int]:
    """The pids of processes that were looked into."""
    return []


@pytest.fixture
def alone(script: Program, entered: list[int]) -> GpuApp:
    """The GPUs, with a scripted link to the program that is looked into."""

    async def enter(pid: int) -> Program:
        entered.append(pid)
        return script

    return GpuApp(enter=enter)


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    for _ in range(1000):
        await pilot.pause(0.01)
        if condition():
            return
    raise AssertionError(seen(pilot.app))


async def look_inside(pilot: Pilot[int], script: Script, *messages: Received) -> None:
    """Look inside the first process, of which the link says this."""
    await begin(pilot, GPUS)
    await pilot.press("down", "enter", "enter")
    for message in messages:
        script.queue.put_nowait(message)
    await until(pilot, script.queue.empty)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_enter_goes_to_the_processes_then_into_one(
    alone: GpuApp, script: Script, entered: list[int], size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, GPUS)
        await pilot.press("down", "enter")
        assert entered == []
        assert "›    1    4711" in seen(alone)
        await pilot.press("enter")
        await until(pilot, lambda: "looking into process 4711…" in seen(alone))
        assert entered == [4711]
        script.queue.put_nowait(WATCHED)
        await until(pilot, lambda: alone.inside and "train.py" in seen(alone))
        assert isinstance(alone.screen, InsideScreen)
        assert "looking into" not in seen(alone)


async def test_the_screen_goes_on_while_a_process_is_entered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entering, refused = threading.Event(), threading.Event()

    def attach(pid: int) -> Path:
        entering.set()
        refused.wait(30)
        raise CannotAttach(f"process {pid} has not imported torch")

    monkeypatch.setattr(inject, "attach", attach)
    alone = GpuApp()
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, GPUS)
        await pilot.press("down", "enter", "enter")
        await until(pilot, entering.is_set)
        await painted(pilot, report(make_gpu(0, gpu_utilization=99), *GPUS.gpus[1:]))
        assert "99%" in seen(alone)
        await pilot.press("down", "enter")
        assert "›    1 5000001" in seen(alone)
        assert "process 4711 is being entered; esc calls it off" in seen(alone)
        refused.set()
        await until(pilot, lambda: "! process 4711 has not imported torch" in seen(alone))


@pytest.mark.parametrize("size", SIZES)
async def test_a_refusal_is_a_line_and_the_screen_goes_on(
    alone: GpuApp, script: Script, entered: list[int], size: tuple[int, int]
) -> None:
    why = "process 4711 belongs to ann: run vramtop as that user or as root"
    async with alone.run_test(size=size) as pilot:
        await look_inside(pilot, script, Parted(why, over=False, trouble=True))
        await until(pilot, lambda: script.closed)
        assert "! process 4711 belongs to ann" in seen(alone)
        assert not alone.inside
        assert alone.state.life == "none"
        await pilot.press("enter")
        assert entered == [4711, 4711]


async def test_a_process_that_has_gone_is_a_line() -> None:
    alone = GpuApp()
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, GPUS)
        await pilot.press("down", "enter", "down", "enter")
        await until(pilot, lambda: "! there is no process 5000001" in seen(alone))
        assert not alone.inside
        assert "›    1 5000001" in seen(alone)


async def test_where_there_is_no_process_that_is_said(alone: GpuApp, entered: list[int]) -> None:
    async with alone.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, GPUS)
        await pilot.press("enter")
        await until(pilot, lambda: "no process holds memory on this GPU" in seen(alone))
        unknown = make_gpu(0, processes=None, refused={"processes": "No Permission"})
        await painted(pilot, report(unknown))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "no process is known here" in seen(alone))
    assert entered == []


@pytest.mark.parametrize("keys", [("escape",), ("q",), ("question_mark", "q")])
async def test_the_way_back_leaves_the_program(
    alone: GpuApp, script: Script, keys: tuple[str, ...]
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        assert "Parameters" in seen(alone)
        await pilot.press(*keys)
        await until(pilot, lambda: script.closed)
        assert isinstance(alone.screen, GpusAlone)
        assert "▸ left train.py (pid 4711), which goes on" in seen(alone)
        assert "›    1    4711" in seen(alone)
        assert alone.state.watched is None
        await pilot.press("q")
    assert alone.return_code == 0


async def test_esc_leaves_the_moment_and_the_category_first(alone: GpuApp, script: Script) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        await pilot.press("down", "right", "escape")
        assert alone.state.cursor is None
        await pilot.press("escape")
        assert alone.state.chosen is None
        assert alone.inside
        await pilot.press("down", "q", "enter")
        script.queue.put_nowait(WATCHED)
        await until(pilot, lambda: alone.inside)
        assert not alone.screen.has_class("chosen")


async def test_the_next_device_is_a_key_away(alone: GpuApp, script: Program) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        await pilot.press("n")
        assert script.nexts == 1
        assert "there is no other device to show" in seen(alone)


async def test_who_holds_what_is_nobodys_is_asked_when_it_is_chosen(
    alone: GpuApp, script: Program
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        await pilot.press("down")
        assert script.asked == 0
        await pilot.press("up", "up")
        assert alone.state.chosen == "other"
        assert script.asked == 1


async def test_another_visit_begins_with_nothing_of_the_one_before(
    alone: GpuApp, script: Script
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        await pilot.press("escape", "down", "enter")
        script.queue.put_nowait(Watched(program="other.py", pid=OTHER.pid))
        await until(pilot, lambda: "other.py" in seen(alone))
        assert "train_gpt2.py" not in seen(alone)
        assert "174.3" not in seen(alone)


async def test_what_has_ended_stays_on_its_screen_and_is_said_on_the_gpus(
    alone: GpuApp, script: Script
) -> None:
    end = Parted("train.py (pid 4711) has ended", over=True)
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN, end)
        assert "DONE" in seen(alone)
        await pilot.press("escape")
        await until(pilot, lambda: "▸ train.py (pid 4711) has ended" in seen(alone))
        assert isinstance(alone.screen, GpusAlone)


async def test_esc_calls_off_what_is_entered(alone: GpuApp, script: Script) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script)
        await pilot.press("escape")
        await until(pilot, lambda: script.closed)
        assert "looking into" not in seen(alone)
        assert not alone.screen.has_class("news")


@pytest.mark.parametrize("messages", [(), (WATCHED, *BEGUN)])
async def test_ctrl_c_ends_and_leaves_the_program(
    alone: GpuApp, script: Script, messages: tuple[Received, ...]
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await look_inside(pilot, script, *messages)
        await pilot.press("ctrl+c")
    assert alone.return_code == 0
    assert script.closed


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_keys_help_and_palette_name_the_ways_in_and_back(
    alone: GpuApp, script: Script, size: tuple[int, int]
) -> None:
    def titles() -> list[str]:
        return [command.title for command in alone.get_system_commands(alone.screen)]

    async with alone.run_test(size=size) as pilot:
        await begin(pilot, GPUS)
        assert "enter look inside" in seen(alone)
        assert "Process: look inside" in titles()
        await pilot.press("question_mark")
        assert "look inside a process" in seen(alone)
        await pilot.press("escape")
        await look_inside(pilot, script, WATCHED, *BEGUN)
        last = seen(alone).splitlines()[-1]
        assert "esc back" in last
        assert "q GPUs" in last
        assert "Process: look inside" not in titles()
        assert "GPUs and their processes" not in titles()
        await pilot.press("question_mark")
        assert isinstance(alone.screen, Help)
        await pilot.press("pagedown")
        await pilot.pause()
        assert "back to the GPUs" in seen(alone)


async def test_its_modules_and_lines_are_listed_as_anywhere(alone: GpuApp, script: Script) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN, MODULES)
        await until(pilot, lambda: "h.0.mlp" in seen(alone))
        await pilot.press("m")
        assert "train.py:42" in seen(alone)
        await pilot.press("left_square_bracket")
        assert "modules, depth 3" in seen(alone)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_key_leaves_the_program_or_asks_anything_of_it(
    alone: GpuApp, script: Script, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await look_inside(pilot, script, WATCHED, *BEGUN)
        for key in ("up", "left", "z", "y", "y", "p", "p", "p", "t", "r", "enter", "g", "b"):
            await pilot.press(key)
            assert alone.inside, key
        assert script.sent == []
