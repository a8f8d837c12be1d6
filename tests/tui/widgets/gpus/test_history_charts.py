"""The charts of each GPU's load and memory, and the last seconds beside its load."""

from __future__ import annotations

import re

import pytest
from gpu_table import GIB, line_of, make_gpu, report
from msgspec.structs import replace
from process_list import process
from rich.style import Style
from scripted import begin, seen
from textual.pilot import Pilot
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.state.gpu_history import GpuHistory, GpuPast
from vramtop.tui.state.state import State
from vramtop.tui.widgets.gpus.gpu_table import GpuTable
from vramtop.tui.widgets.gpus.history_charts import HistoryCharts

LATER = 10**9  # seconds that the monitor's own clock does not reach meanwhile


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


def history(*loads: int, gpus: int = 2) -> GpuHistory:
    """So many GPUs that had these loads, second by second, and as much memory in use."""
    past = GpuPast(loads, tuple(map(float, loads)))
    return GpuHistory(tuple(range(LATER, LATER + len(loads))), (past,) * gpus, LATER)


async def remember(pilot: Pilot[int], past: GpuHistory) -> None:
    app = pilot.app
    assert isinstance(app, GpuApp)
    app.show(replace(app.state, gpu_history=past))
    await pilot.pause()


def dots(text: str) -> int:
    return sum(0x2800 < ord(letter) < 0x2900 for letter in text)


async def test_each_gpu_has_a_chart_of_its_load_and_of_its_memory(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0), make_gpu(1, gpu_utilization=99, free=20 * GIB)))
        await remember(pilot, history(*[50] * 59))
        for text in ("GPU 0 load", "GPU 0 memory", "GPU 1 load", "GPU 1 memory"):
            assert text in seen(alone)
        assert seen(alone).count("1 min") == 4
        assert dots(seen(alone)) > 150


async def test_the_height_of_the_curve_is_the_load(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        await remember(pilot, history(*[0] * 20, *[100] * 20, gpus=1))
        charts = alone.screen.query_one(HistoryCharts)
        lines = [charts.render_line(y).text[:58] for y in range(charts.size.height)]
        assert lines[2].startswith("100%")
        assert lines[-1].startswith("   0")
        assert dots(lines[2]) > 10
        assert dots(lines[-1]) > 10
        rise = max(lines[2].find(chr(code)) for code in range(0x2801, 0x2900))
        assert 5 + 17 <= min(n for n, c in enumerate(lines[2]) if dots(c)) <= rise


async def test_a_column_is_drawn_once_it_is_over(alone: GpuApp) -> None:
    """Five minutes share the 102 dots of a chart, so that one is drawn each third second."""
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0), make_gpu(1)))
        drawn = set[str]()
        for seconds in range(200, 230):
            await remember(pilot, history(*[second % 90 for second in range(seconds)]))
            charts = alone.screen.query_one(HistoryCharts)
            drawn.add("".join(charts.render_line(y).text for y in range(charts.size.height)))
        assert 9 <= len(drawn) <= 12


async def test_a_new_second_draws_few_cells(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0), make_gpu(1)))
        loads = [50 + second % 7 for second in range(400)]
        await remember(pilot, history(*loads))
        before = seen(alone)
        await remember(pilot, history(*loads, 51))
        charts = alone.screen.query_one(HistoryCharts)
        start = charts.region.y
        rows = zip(before.splitlines()[start:], seen(alone).splitlines()[start:], strict=True)
        assert sum(a != b for was, now in rows for a, b in zip(was, now, strict=True)) < 20


@pytest.mark.parametrize(("size", "shown"), [((120, 40), 8), ((120, 26), 4), ((80, 40), 6)])
async def test_as_many_gpus_as_there_is_room_for(
    alone: GpuApp, size: tuple[int, int], shown: int
) -> None:
    async with alone.run_test(size=size) as pilot:
        await begin(pilot, report(*(make_gpu(gpu) for gpu in range(8))))
        assert len(set(re.findall(r"GPU (\d) load", seen(alone)))) == shown
        await pilot.press("end")
        await pilot.pause()
        assert "GPU 7 load" in seen(alone)


@pytest.mark.parametrize("size", [(80, 10), (80, 12), (60, 10)])
async def test_in_few_lines_the_lists_have_all_of_them(
    alone: GpuApp, size: tuple[int, int]
) -> None:
    async with alone.run_test(size=size) as pilot:
        processes = [process(pid, 1) for pid in range(20, 25)]
        await begin(pilot, report(make_gpu(0, *processes), make_gpu(1)))
        assert "100%" not in seen(alone)
        assert "0 X100" in seen(alone)
        assert " 21 " in seen(alone)


@pytest.mark.parametrize("width", [80, 120])
async def test_the_last_seconds_stand_beside_the_load(alone: GpuApp, width: int) -> None:
    async with alone.run_test(size=(width, 12)) as pilot:
        await begin(pilot, report(make_gpu(0), make_gpu(1)))
        await remember(pilot, history(0, 13, 26, 38, 51, 63, 76, 88, 100))
        blocks = re.search(r"37% +([▁-█]+) +54", line_of(seen(alone), "0 X100"))
        assert blocks is not None
        assert "▁▂▃▄▅▆▇██".endswith(blocks[1])
        assert len(blocks[1]) == (8 if width == 80 else 9)


async def test_a_lost_gpu_leaves_a_gap(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        past = GpuPast((50, None, 50), (50.0, None, 50.0))
        await remember(pilot, GpuHistory((LATER, LATER + 1, LATER + 2), (past,), LATER))
        assert re.search(r"37% +▅ ▅ +54", line_of(seen(alone), "0 X100"))


async def test_what_is_wrong_is_a_label_also_without_colours(
    alone: GpuApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    hot = make_gpu(0, temperature=91, slowdown_at=90, throttled=("hardware slowdown",))
    warm = make_gpu(1, temperature=86, slowdown_at=90)
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(hot, warm))
        labels = list[str]()
        for strip in alone.screen._compositor.render_strips():
            labels += [s.text for s in strip if (s.style or Style()).reverse]
        assert labels == ["!91°C", "! 91°C, slowdown at 90°C", "! hardware slowdown"]


async def test_a_report_is_noted_in_the_state_that_shows_it(
    alone: GpuApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a GPU's line, with the load of the last seconds, is drawn once a second."""
    states = list[State]()
    monkeypatch.setattr(GpuTable, "show", lambda _, state: states.append(state))
    async with alone.run_test(size=(120, 40)):
        alone.receive(report(make_gpu(0, gpu_utilization=12)))
        assert states[-1].gpus is not None
        assert states[-1].gpu_history.gpus[0].load == (12,)


async def test_the_monitor_samples_the_gpus_each_second(alone: GpuApp) -> None:
    async with alone.run_test(size=(120, 40)) as pilot:
        await begin(pilot, report(make_gpu(0)))
        for _ in range(300):
            await pilot.pause(0.02)
            if len(alone.state.gpu_history.at) >= 2:
                break
        assert len(alone.state.gpu_history.at) >= 2
        assert alone.state.gpu_history.gpus[0].load == (37,) * len(alone.state.gpu_history.at)
