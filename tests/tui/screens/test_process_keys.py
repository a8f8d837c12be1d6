"""What the keys and the mouse do with the list of processes."""

from __future__ import annotations

import re

import pytest
from gpu_table import GIB, TRAINING, make_gpu, report
from msgspec.structs import replace
from process_list import machine, process
from scripted import Script, begin, painted, seen
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.gpus import TrainingGpus
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.state.processes import COLUMNS
from vramtop.tui.widgets.gpus.processes import ProcessTable

SIZES = [(60, 10), (80, 12), (80, 24), (120, 40), (200, 60)]
LONG = "/home/ana/venv/bin/python -u train.py " + " ".join(f"--option-{n}" for n in range(30))


def pids(app: GpuApp | VramtopApp) -> list[int]:
    """The pids of the list, from top to bottom."""
    _, _, rows = seen(app).rpartition("pid")
    return [int(pid) for pid in re.findall(r"^ .{2} +[\d.]* +(\d\d) ", rows, re.MULTILINE)]


def heading(app: GpuApp | VramtopApp) -> str:
    return next(line for line in seen(app).splitlines() if re.search(r"\bpid", line))


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


@pytest.mark.parametrize("size", SIZES)
async def test_s_sorts_by_each_column_and_r_turns_round(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, machine())
        room = len(pids(alone))
        assert room == 4 or size == (60, 10)
        assert "GPU↑" in heading(alone)
        assert pids(alone) == [61, 41, 42, 70][:room]
        await pilot.press("s")
        await pilot.pause()
        assert "pid↑" in heading(alone)
        assert pids(alone) == [41, 61, 42, 70][:room]
        await pilot.press("R")
        await pilot.pause()
        assert "pid↓" in heading(alone)
        assert pids(alone) == [61, 41, 70, 42][:room]
        await pilot.press(*"s" * (len(COLUMNS) - 1))
        await pilot.pause()
        assert "GPU↑" in heading(alone)


async def test_a_click_on_a_title_sorts_by_it(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, machine())
        lines = seen(alone).splitlines()
        row = lines.index(heading(alone))
        for title, then in (("time↓", [61, 41, 70, 42]), ("time↑", [41, 61, 42, 70])):
            await pilot.click(offset=(heading(alone).index("time") + 1, row))
            await pilot.pause()
            assert pids(alone) == then
            assert title in heading(alone)
        assert alone.screen.query_one(ProcessTable).active is False


@pytest.mark.parametrize("size", SIZES)
async def test_a_filter_is_typed_told_and_taken_back(alone: GpuApp, size: tuple[int, int]) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, machine())
        await pilot.press("slash")
        assert isinstance(alone.screen, Prompt)
        await pilot.press(*"rank", "space", *"42", "enter")
        await pilot.pause()
        assert pids(alone) == [42]
        assert "/rank 42 · 1 of 4" in heading(alone)
        await pilot.press("slash")
        await pilot.pause()
        assert "rank 42" in seen(alone)  # what it was is there to be changed
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert pids(alone)[:2] == [61, 41]
        assert "of 4" not in heading(alone)


async def test_a_filter_that_nothing_fits_says_how_many_there_are(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("slash", *"nobody", "enter", "K", "enter", "tab", "down", "K")
        await pilot.pause()
        assert "/nobody · 0 of 4" in heading(alone)
        assert "no process holds" not in seen(alone)


async def test_u_leads_from_user_to_user(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        for user, listed in (("ana", [41, 42]), ("ben", [61]), ("root", [70])):
            await pilot.press("u")
            await pilot.pause()
            assert pids(alone) == listed
            assert f"{user} · {len(listed)} of 4" in heading(alone)
        await pilot.press("u")
        await pilot.pause()
        assert pids(alone) == [61, 41, 42, 70]


@pytest.mark.parametrize("size", SIZES)
async def test_t_shows_who_started_whom(alone: GpuApp, size: tuple[int, int]) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, machine())
        await pilot.press("t")
        await pilot.pause()
        found = pids(alone)
        for _ in range(6):
            await pilot.press("tab" if not alone.screen.query_one(ProcessTable).active else "down")
            await pilot.pause()
            found += [pid for pid in pids(alone) if pid not in found]
        assert found == [60, 61, 40, 41, 42, 70]
        await pilot.press("t", "home")
        await pilot.pause()
        assert 40 not in pids(alone)


async def test_the_torchrun_stands_above_its_ranks(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, machine())
        await pilot.press("t")
        await pilot.pause()
        lines = seen(alone).splitlines()
        (at,) = [row for row, line in enumerate(lines) if " torchrun --nproc" in line]
        assert "├ python train.py --rank 41" in lines[at + 1]
        assert "└ python train.py --rank 42" in lines[at + 2]
        assert "GiB" not in lines[at]  # it holds nothing on a GPU, which is not zero
        assert "N/A" not in lines[at].partition("ana")[0]


@pytest.mark.parametrize("size", SIZES)
async def test_the_whole_command_is_reached_by_scrolling(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(make_gpu(0, process(41, 3, command=LONG))))
        row = next(line for line in seen(alone).splitlines() if " 41 " in line)
        assert " python -u" in row  # the program's folder comes with the first step
        text = list[str]()
        for _ in range(40):
            await pilot.press("right")
            await pilot.pause()
            row = next(line for line in seen(alone).splitlines() if " 41 " in line)
            text.append(row.rstrip()[-10:])
        assert "…" not in text[-1]
        assert LONG.endswith(text[-1])
        await pilot.press(*["left"] * 40)
        await pilot.pause()
        assert row != next(line for line in seen(alone).splitlines() if " 41 " in line)


async def test_the_first_step_shows_the_programs_folder(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0, process(41, 3, command=LONG))))
        assert "/home/ana" not in seen(alone)
        await pilot.press("right")
        await pilot.pause()
        assert "/home/ana/venv/bin/python" in seen(alone)


async def test_processes_of_the_chosen_gpu_come_first_and_stay_while_one_looks(
    alone: GpuApp,
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("down")
        await pilot.pause()
        assert pids(alone) == [42, 70, 61, 41]
        await pilot.press("tab", "down", "down")
        await pilot.pause()
        assert pids(alone) == [42, 70, 61, 41]
        assert re.search(r"^ › +0 +61 ", seen(alone), re.MULTILINE)
        await pilot.press("tab")
        await pilot.pause()
        assert pids(alone) == [61, 41, 42, 70]  # GPU 0 is the chosen one now


@pytest.mark.parametrize("size", [(60, 10), (80, 12), (80, 24), (120, 40)])
async def test_all_of_sixteen_gpus_can_be_reached(alone: GpuApp, size: tuple[int, int]) -> None:
    gpus = [make_gpu(gpu, process(1000 + gpu, 1), process(2000 + gpu, 1)) for gpu in range(16)]
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(*gpus))
        for gpu in range(16):
            assert re.search(rf"^ › +{gpu} X100", seen(alone), re.MULTILINE)
            await pilot.press("enter")
            await pilot.pause()
            assert re.search(rf"^ › +{gpu} +{1000 + gpu} ", seen(alone), re.MULTILINE)
            await pilot.press("tab", "down")
            await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_each_process_has_all_that_its_row_has_room_for(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    known = process(
        41, 3, sm=62, cpu=102.4, resident=8 * GIB, seconds=11524, type="C", inside="observed"
    )
    others = process(42, 1, user="ben", inside="impossible", obstacle="another user's")
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(make_gpu(0, known, others)))
        row = next(line for line in seen(alone).splitlines() if " 41 " in line)
        for text in ("ana", "62%", "3:12:04", "•"):
            assert text in row
        if size[0] >= 80:
            for text in (" C ", "102%", "8.00G"):
                assert text in row
        row = next(line for line in seen(alone).splitlines() if " 42 " in line)
        assert ("another user's" in row) == (size[0] >= 120)
        assert "•" not in row


async def test_over_a_training_the_same_keys_work_and_its_own_go_on(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, machine())
        await pilot.press("g", "s", "u", "t", "R")
        await pilot.pause()
        assert pids(app) == [40, 41, 42]
        assert "pid↓" in heading(app)
        assert not app.state.slow
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        assert "sort by the next column" in seen(app)
        assert "batch" not in seen(app)
        await pilot.press("escape", "plus", "escape")
        assert not isinstance(app.screen, TrainingGpus)
        await pilot.press("g")
        await pilot.pause()
        assert pids(app) == [40, 41, 42]  # as it was left
        await pilot.press("down", "enter")
    assert script.moves == ["cuda:1"]
    assert script.changes == [{"batch_size": 128}]


@pytest.mark.parametrize(("moves", "pid"), [((), 61), (("down",), 41)])
async def test_a_process_stays_chosen_while_the_order_changes(
    alone: GpuApp, moves: tuple[str, ...], pid: int
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("tab", *moves)
        for key in ("t", "s", "R", "t", "s"):
            await pilot.press(key)
            await pilot.pause()
            assert re.search(rf"^ › +0 +{pid} ", seen(alone), re.MULTILINE), seen(alone)


async def test_capital_t_chooses_the_theme_and_inside_t_does(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("t")
        assert alone.theme == "dark"
        await pilot.press("T")
        assert alone.theme == "light"


async def test_capital_t_chooses_the_theme_over_a_training_too(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, machine())
        await pilot.press("g", "T")
        await pilot.pause()
        assert app.theme == "light"
        assert isinstance(app.screen, TrainingGpus)


@pytest.mark.parametrize("size", SIZES)
async def test_space_holds_the_picture_until_it_is_pressed_again(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, machine())
        await pilot.press("space")
        await pilot.pause()
        assert "held" in seen(alone)
        listed, heard = pids(alone), machine()
        ended = replace(heard, gpus=tuple(replace(gpu, processes=()) for gpu in heard.gpus))
        await painted(pilot, ended)
        assert pids(alone) == listed
        await pilot.press("space")
        await pilot.pause()
        assert pids(alone) == []
        assert "held" not in seen(alone)


async def test_in_a_picture_that_is_held_one_sorts_and_filters(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("space", "s")
        await pilot.pause()
        assert "pid↑" in heading(alone)
        assert pids(alone) == [41, 61, 42, 70]
        assert "held · space goes on" in seen(alone)


async def test_before_anything_is_known_there_is_nothing_to_hold(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await pilot.press("space")
        await painted(pilot, machine())
        assert len(pids(alone)) == 4


async def test_what_one_sees_is_kept_while_reports_come(alone: GpuApp) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, machine())
        await pilot.press("u", "s", "R")
        newer: GpusReport = machine()
        await painted(pilot, replace(newer, gpus=newer.gpus[::-1]))
        assert sorted(pids(alone)) == [41, 42]
        assert "pid↓" in heading(alone)
