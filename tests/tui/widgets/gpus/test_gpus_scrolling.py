"""Lists of GPUs and processes that are longer than the terminal."""

from __future__ import annotations

import re
from itertools import chain

import pytest
from gpu_table import GIB, TRAINING, make_gpu, report
from scripted import Script, begin, painted, seen
from textual.events import MouseScrollDown, MouseScrollUp
from textual.widget import Widget
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.gpus.gpu_table import GpuTable
from vramtop.tui.widgets.gpus.processes import ProcessTable
from vramtop.tui.widgets.gpus.window import Window, window

SIZES = [(80, 24), (80, 12), (60, 8), (120, 40)]
PIDS = [4000 + 10 * gpu + number for gpu in range(8) for number in range(4)]


def many() -> GpusReport:
    """Eight GPUs with four processes each, the largest first."""
    return report(
        *(
            make_gpu(gpu, *(GpuProcess(4000 + 10 * gpu + n, (9 - n) * GIB) for n in range(4)))
            for gpu in range(8)
        )
    )


def pids(screen: str) -> list[int]:
    return [int(pid) for pid in re.findall(r"^..+?\s(4\d{3})\s", screen, re.MULTILINE)]


def chosen_pid(screen: str) -> int | None:
    found = re.search(r"^ ›.*?\s(4\d{3})\s", screen, re.MULTILINE)
    return int(found[1]) if found else None


def hidden(screen: str) -> int:
    """How many processes the line below them says are not seen."""
    line = [line for line in screen.splitlines() if "more" in line][-1]
    return sum(map(int, re.findall(r"(\d+) more", line)))


def wheel(widget: Widget, kind: type[MouseScrollDown | MouseScrollUp]) -> None:
    none = {"shift": False, "meta": False, "ctrl": False}
    widget.post_message(kind(widget, 5, 2, 0, 0, 0, **none))


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


@pytest.mark.parametrize("size", [(60, 8), (80, 24)])
async def test_every_process_can_be_reached_and_those_not_seen_are_counted(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, many())
        await pilot.press("tab")
        for pid in PIDS:
            await pilot.pause()
            screen = seen(alone)
            assert chosen_pid(screen) == pid
            if len(pids(screen)) < len(PIDS):
                assert len(pids(screen)) + hidden(screen) == len(PIDS)
            await pilot.press("down")


@pytest.mark.parametrize("size", SIZES)
async def test_pages_and_ends_lead_through_the_processes(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, many())
        await pilot.press("tab")
        found = [pids(seen(alone))]
        while chosen_pid(seen(alone)) != PIDS[-1]:
            before = chosen_pid(seen(alone))
            await pilot.press("pagedown")
            await pilot.pause()
            assert chosen_pid(seen(alone)) != before
            found.append(pids(seen(alone)))
        assert sorted(set(chain.from_iterable(found))) == PIDS
        await pilot.press("home")
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[0]
        await pilot.press("end")
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[-1]
        await pilot.press("pageup")
        await pilot.pause()
        assert chosen_pid(seen(alone)) != PIDS[-1]


async def test_the_wheel_scrolls_what_is_under_it(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 12)) as pilot:
        await begin(pilot, many())
        wheel(alone.screen.query_one(ProcessTable), MouseScrollDown)
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[3]
        for _ in range(20):
            wheel(alone.screen.query_one(ProcessTable), MouseScrollDown)
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[-1]
        wheel(alone.screen.query_one(ProcessTable), MouseScrollUp)
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[-4]
        for _ in range(20):
            wheel(alone.screen.query_one(GpuTable), MouseScrollDown)
        await pilot.pause()
        assert re.search(r"^ ›  7 X100", seen(alone), re.MULTILINE)


async def test_a_process_stays_chosen_while_others_come_and_go(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, many())
        await pilot.press("tab", *["down"] * 6)
        await pilot.pause()
        assert chosen_pid(seen(alone)) == PIDS[6]
        gpus = many().gpus
        newer = make_gpu(0, *(GpuProcess(3000 + n, 50 * GIB) for n in range(3)))
        await painted(pilot, report(newer, *gpus[1:]))
        assert chosen_pid(seen(alone)) == PIDS[6]


async def test_instances_can_be_reached_in_a_small_pane(alone: GpuApp) -> None:
    parts = tuple(Gpu(slot, f"MIG-{slot}", "X100 MIG 1g") for slot in range(7))
    async with alone.run_test(size=(80, 12)) as pilot:
        await begin(pilot, report(make_gpu(0, instances=parts), make_gpu(1, instances=parts)))
        found = set()
        for stop in range(16):
            await pilot.pause()
            (line,) = [line for line in seen(alone).splitlines() if line[:3].strip() == "›"]
            assert ("└" in line) == (stop % 8 > 0)
            found.add((stop // 8, " ".join(line.split()[1:3])))
            await pilot.press("down")
        assert len(found) == 16


async def test_enter_moves_the_training_to_the_gpu_of_the_chosen_process(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    async with app.run_test(size=(80, 12)) as pilot:
        await begin(pilot, *TRAINING, many())
        await pilot.press("g", "tab", *["down"] * 9, "enter")
        await pilot.pause()
        assert chosen_pid(seen(app)) == PIDS[9]
    assert script.moves == ["cuda:2"]


@pytest.mark.parametrize(
    ("room", "chosen", "first", "seen"),
    [
        (10, 0, 0, Window(0, 10, 10)),
        (5, 0, 0, Window(0, 4, 10)),
        (5, 3, 0, Window(0, 4, 10)),
        (5, 4, 0, Window(1, 5, 10)),
        (5, 9, 0, Window(6, 10, 10)),
        (5, 7, 6, Window(6, 10, 10)),
        (5, 2, 6, Window(2, 6, 10)),
        (1, 7, 0, Window(7, 8, 10)),
        (0, 7, 0, Window(7, 8, 10)),
    ],
)
def test_a_window_moves_no_further_than_it_must(
    room: int, chosen: int, first: int, seen: Window
) -> None:
    assert window(10, room, chosen, first) == seen


def test_a_window_says_how_many_are_not_seen() -> None:
    assert Window(0, 4, 10).hidden == "… 6 more below"
    assert Window(3, 7, 10).hidden == "… 3 more above, 3 more below"
    assert Window(6, 10, 10).hidden == "… 6 more above"
    assert Window(0, 10, 10).hidden == ""
