"""The list of what is inside a program: its modules, by depth, or its lines."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from recorded_app import program
from recorded_program import Running
from scripted import painted, seen
from textual.app import App
from vramtop.protocol.observed.report import Layer, Line, Split
from vramtop.tui.app.program_app import ProgramApp
from vramtop.tui.widgets.step.inside_list import InsideList
from vramtop.tui.worker.link import Modules

KIB = 1 << 10
LAYERS = (
    Layer("wte", "Embedding", 9 * KIB, 9 * KIB, 18 * KIB, 1 * KIB),
    Layer("h.0", "Block", 0, 0, 0, 2 * KIB),
    Layer("h.0.mlp", "MLP", 4 * KIB, 4 * KIB, 8 * KIB, 30 * KIB),
    Layer("h.1.mlp", "MLP", 4 * KIB, 4 * KIB, 8 * KIB, 20 * KIB),
    Layer("", "GPT", 0, 0, 0, 3 * KIB),
    Layer("(no module)", "", 0, 0, 0, 64),
)
LINES = (
    Line("", Split(parameters=17 * KIB, optimizer_state=34 * KIB)),
    Line("train.py:42", Split(activations=50 * KIB, temporaries=KIB)),
    Line("model.py:7", Split(activations=6 * KIB, temporaries=60 * KIB, other=4)),
)
INSIDE = Modules(LAYERS, LINES)


def listed(app: App[int]) -> list[list[str]]:
    """The words of the list's lines; none where it is not on the screen."""
    panel = app.screen_stack[0].query_one(InsideList)
    text = "\n".join(panel.render_line(y).text for y in range(panel.region.height))
    return [line.split() for line in text.splitlines() if line.strip()]


def names(app: App[int]) -> list[str]:
    """The first word of each row, without the title's."""
    return [row[0] for row in listed(app)[1:]]


async def test_modules_are_sorted_by_all_of_them_and_by_each_column_that_has_bytes() -> None:
    async with program((120, 40)) as pilot:
        await painted(pilot, INSIDE)
        app = pilot.app
        assert listed(app)[0] == ["modules", "params", "grads", "optim.", "activ.", "all▼"]
        assert names(app) == ["h.0.mlp", "wte", "h.1.mlp", "GPT", "…"]
        assert listed(app)[1] == ["h.0.mlp", "MLP", "4.00K", "4.00K", "8.00K", "30.0K", "37%"]
        for column, first in (("params▼", "wte"), ("grads▼", "wte"), ("optim.▼", "wte")):
            await pilot.press("s")
            assert column in listed(app)[0]
            assert names(app)[0] == first
        await pilot.press("s")
        assert names(app)[:3] == ["h.0.mlp", "h.1.mlp", "GPT"]
        await pilot.press("s")
        assert "all▼" in listed(app)[0]


async def test_modules_open_by_depth_and_each_has_the_bytes_of_those_within() -> None:
    async with program((120, 40)) as pilot:
        await painted(pilot, INSIDE)
        app = pilot.app
        await pilot.press("left_square_bracket")
        assert listed(app)[0][:3] == ["modules,", "depth", "3"]
        assert "h.0.mlp" in names(app)
        await pilot.press("left_square_bracket")
        assert listed(app)[0][:3] == ["modules,", "depth", "2"]
        assert listed(app)[1] == ["h.0", "(2)", "Block", "4.00K", "4.00K", "8.00K", "32.0K", "39%"]
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert listed(app)[0][:3] == ["modules,", "depth", "1"]
        assert names(app) == ["h", "wte", "GPT", "(no"]
        assert listed(app)[1][2:] == ["8.00K", "8.00K", "16.0K", "52.0K", "68%"]
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        assert listed(app)[0][0] == "modules"


async def test_lines_have_the_bytes_of_every_category() -> None:
    async with program((120, 40)) as pilot:
        await painted(pilot, INSIDE)
        app = pilot.app
        await pilot.press("m")
        assert listed(app)[0] == ["lines", "params", "optim.", "activ.", "temp.", "other", "all▼"]
        assert listed(app)[1] == ["model.py:7", "–", "–", "6.00K", "60.0K", "4", "39%"]
        assert [row[0] for row in listed(app)[2:]] == ["(no", "train.py:42"]
        await pilot.press("s", "s", "s")
        assert "activ.▼" in listed(app)[0]
        assert names(app)[0] == "train.py:42"
        await pilot.press("m", "m")
        assert listed(app)[0][0] == "modules"
        assert "all▼" in listed(app)[0]


@pytest.mark.parametrize("size", [(80, 24), (80, 12), (80, 7), (60, 18)])
async def test_where_there_is_no_room_the_list_comes_in_the_anatomys_place(
    size: tuple[int, int],
) -> None:
    async with program(size) as pilot:
        await painted(pilot, INSIDE)
        app, before = pilot.app, seen(pilot.app)
        assert not listed(app)
        await pilot.press("m")
        await pilot.pause()
        assert listed(app)[0][0] == "modules"
        assert names(app)[0] == "h.0.mlp"
        await pilot.press("m")
        await pilot.pause()
        assert listed(app)[0][0] == "lines"
        await pilot.press("m")
        await pilot.pause()
        assert not listed(app)
        assert "shapes seen" in seen(app)
        await pilot.press("m")
        await pilot.pause()
        assert seen(app) == before
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert listed(app)[0][:3] == ["modules,", "depth", "3"]
        await pilot.press("escape")
        await pilot.pause()
        assert seen(app) == before


async def test_modules_that_backward_runs_again_are_marked_and_so_are_those_around_them() -> None:
    async with program((120, 40)) as pilot:
        layers = [replace(each, recomputed=each.name == "h.1.mlp") for each in LAYERS]
        await painted(pilot, Modules(tuple(layers), LINES))
        app = pilot.app
        marked = [row[0] for row in listed(app)[1:] if "↻" in row]
        assert marked == ["h.1.mlp"]
        await pilot.press(*["left_square_bracket"] * 3)
        assert [row[0] for row in listed(app)[1:] if "↻" in row] == ["h"]


async def test_before_a_step_is_recorded_the_keys_do_no_harm() -> None:
    app = ProgramApp(Running())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("m", "s", "right_square_bracket", "left_square_bracket", "m")
        assert not listed(app)
