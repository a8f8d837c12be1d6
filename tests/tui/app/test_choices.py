"""The keys that choose how the monitor looks, and that the choices are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import BEGUN, log_of, sample
from screens import assert_apart, screen
from scripted import Script
from vramtop.protocol.commands import Pace
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app import painting, state_app
from vramtop.tui.app.choices import Choices
from vramtop.tui.app.config import Config
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.palette import PALETTES
from vramtop.tui.widgets.panel import Panel

ALL = {
    "StatusLine", "DeviceBar", "SplitBar", "CategoryTable", "AnatomyChart", "Trends",
    "VisitedTable", "Log", "NewsLine", "KeyLine",
}  # fmt: skip
SIZES = [(60, 18), (80, 24), (120, 40), (200, 60)]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "config.json")


async def test_t_goes_through_the_themes_says_which_and_all_panels_follow() -> None:
    async with screen(120, 40, *BEGUN) as shown:
        for theme in ("light", "high-contrast", "terminal", "dark"):
            await shown.press("t")
            colors = PALETTES[theme]
            assert f"{theme} theme" in shown.text
            (style, *_) = shown.styles("Total")
            assert style.color
            assert style.color.name == colors.text
            (key, *_) = shown.styles("b")
            assert key.color
            assert key.color.name == colors.accent
            for panel in shown.app.query(Panel):
                assert panel.palette == colors


async def test_the_terminals_own_colours_are_not_turned_into_others() -> None:
    async with screen(120, 40, *BEGUN) as shown:
        await shown.press("t", "t", "t")
        strips = shown.app.screen._compositor.render_strips()
        used = {
            color
            for strip in strips
            for segment in strip
            if segment.style
            for color in (segment.style.color, segment.style.bgcolor)
            if color is not None
        }
        assert used
        assert all(color.is_system_defined or color.is_default for color in used)


@pytest.mark.parametrize(
    ("terminal", "theme"),
    [(Terminal(), "dark"), (Terminal(colors=256), "dark"), (Terminal(colors=16), "terminal")],
)
async def test_16_colours_are_the_terminals_own_unless_others_were_chosen(
    terminal: Terminal, theme: str, config: Config
) -> None:
    async with screen(80, 24, terminal=terminal, config=config) as shown:
        assert shown.app.theme == theme
    config.keep(theme="light")
    async with screen(80, 24, terminal=terminal, config=config) as shown:
        assert shown.app.theme == "light"


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "terminal"])
async def test_with_16_colours_the_patterns_show_in_every_theme(theme: str, config: Config) -> None:
    config.keep(theme=theme)
    async with screen(120, 40, *BEGUN, terminal=Terminal(colors=16), config=config) as shown:
        assert "Grads ▚" in shown.text
        assert "▞ Activations" in shown.text


async def test_without_colours_t_says_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen(120, 40, *BEGUN) as shown:
        await shown.press("t")
        assert "light theme, which NO_COLOR keeps without colours" in shown.text
        styles = [s.style for s in shown.app.screen._compositor.render_strips()[3] if s.style]
        assert styles
        assert all(style.color is None or style.color.is_default for style in styles)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_p_goes_through_the_layouts_and_nothing_overlaps(width: int, height: int) -> None:
    frame = {"StatusLine", "NewsLine", "KeyLine"}
    async with screen(width, height, *BEGUN) as shown:
        before = visible(shown.app.query(Panel))
        for layout, parts in (
            ("memory", frame | {"DeviceBar", "SplitBar", "CategoryTable"}),
            ("charts", frame | {"SplitBar", "AnatomyChart", "Trends"}),
            ("everything", set(before)),
        ):
            await shown.press("p")
            assert f"layout: {layout}" in shown.text
            now = visible(shown.app.query(Panel))
            assert set(now) - {"LayerTable"} == parts - {"LayerTable"}
            assert_apart(now.values(), shown.app.screen.region)
            assert now["KeyLine"].region.bottom == height
        assert now == before


async def test_a_layout_gives_its_parts_the_room_of_those_that_are_gone() -> None:
    async with screen(120, 40, *BEGUN) as shown:
        heights = {}
        for layout in ("everything", "memory", "charts"):
            now = visible(shown.app.query(Panel))
            heights[layout] = {name: part.region.height for name, part in now.items()}
            await shown.press("p")
        assert heights["memory"]["SplitBar"] > 5 * heights["everything"]["SplitBar"]
        assert heights["charts"]["AnatomyChart"] > 2 * heights["everything"]["AnatomyChart"]


@pytest.mark.parametrize("layout", ["memory", "charts"])
async def test_a_terminal_too_small_says_so_in_every_layout(layout: str, config: Config) -> None:
    config.keep(layout=layout)
    async with screen(39, 17, *BEGUN, config=config) as shown:
        assert "A little more room, please" in shown.text
        assert not visible(shown.app.query(Panel))


async def test_r_changes_how_often_it_is_painted_and_says_so(config: Config) -> None:
    async with screen(80, 24, *BEGUN, config=config) as shown:
        for rate in ("4 refreshes", "10 refreshes", "1 refresh", "2 refreshes"):
            await shown.press("r")
            assert f"{rate} a second" in shown.text


async def test_the_worker_hears_how_often_the_screen_is_painted(config: Config) -> None:
    assert await paces(config, "r", "r", "r", "r", "r") == [0.25, 0.1, 1, 0.5, 0.25]
    assert await paces(config) == [0.25]  # as it was left


async def paces(config: Config, *keys: str) -> list[float]:
    script = Script()

    async with VramtopApp(Settings(), script.start, config=config).run_test() as pilot:
        await pilot.pause()
        await pilot.press(*keys)
    return [command.seconds for command in script.sent if isinstance(command, Pace)]


@pytest.mark.parametrize("refresh", [1, 2, 4, 10])
async def test_the_status_line_moves_as_often_as_was_chosen(
    refresh: int, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.keep(refresh=refresh)
    now = [0.0]
    monkeypatch.setattr(painting, "monotonic", lambda: now[0])
    monkeypatch.setattr(state_app, "WHOLE_SECONDS", 3600)  # by which all is painted that waits
    async with screen(120, 40, *BEGUN, config=config) as shown:
        for step, (passed, moves) in enumerate(
            ((1, True), (0.5, False), (0.5, True), (0.1, False))
        ):
            now[0] += passed / refresh
            shown.app.receive(sample(1280 + 64 * step))
            await shown.pilot.pause()
            assert (f"step {20 + step} " in " ".join(shown.lines[0].split())) is moves


async def test_what_else_trickles_in_is_painted_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [10.0]
    monkeypatch.setattr(painting, "monotonic", lambda: now[0])
    async with screen(120, 40, *BEGUN) as shown:
        now[0] += 0.5
        shown.app.receive(sample(1280, loss=0.125))
        await shown.pilot.pause()
        assert shown.text.count("0.1250") == 1  # in the status line
        now[0] += 0.5
        while shown.text.count("0.1250") == 1:  # in the chart too, by the app's own timer
            await shown.pilot.pause(0.05)


async def test_what_was_chosen_is_as_it_was_the_next_time(config: Config) -> None:
    async with screen(120, 40, *BEGUN, config=config) as shown:
        await shown.press("t", "t", "p", "r", "r")
    assert config.read() == (Choices("high-contrast", "memory", 10), None)
    async with screen(120, 40, *BEGUN, config=config) as shown:
        assert shown.app.theme == "high-contrast"
        assert "AnatomyChart" not in visible(shown.app.query(Panel))
        await shown.press("r")
        assert "1 refresh a second" in shown.text


async def test_a_broken_config_is_reported_on_the_screen_and_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("c.json")
    path.write_text("{")
    async with screen(120, 40, config=Config(path)) as shown:
        assert shown.app.theme == "dark"
        assert "is not a JSON object, and is not used" in shown.text
        assert log_of(shown.app.state) == (f"{path} is not a JSON object, and is not used",)


async def test_a_choice_that_cannot_be_kept_holds_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with screen(120, 40, config=Config(tmp_path / "file" / "c.json")) as shown:
        await shown.press("t")
        assert shown.app.theme == "light"
        *_, last = log_of(shown.app.state)
        assert last.startswith("light theme, but cannot keep the choice: ")


async def test_over_a_question_the_letters_are_typed() -> None:
    async with screen(80, 24, *BEGUN) as shown:
        await shown.press("v", "t", "p", "r")
        assert shown.app.theme == "dark"


async def test_on_the_screen_of_the_gpus_the_theme_can_be_chosen_too(config: Config) -> None:
    app = GpuApp(config=config)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("T", "r")
    assert config.read() == (Choices(theme="light", refresh=4), None)


def visible(panels: object) -> dict[str, Panel[object]]:
    """The panels that have room, by name."""
    return {type(panel).__name__: panel for panel in panels if panel.region.area}  # type: ignore


async def test_only_the_latest_answer_stands(config: Config) -> None:
    async with screen(80, 24, *BEGUN, config=config) as shown:
        await shown.press("r", "r", "r")
        await shown.pilot.pause()
        assert shown.lines[-2].strip() == "▸ 1 refresh a second"
        assert "10 refreshes" not in shown.text
        await shown.press("g", "r", "r")
        await shown.pilot.pause()
        assert "4 refreshes a second" in shown.text
        assert len(shown.app.screen.query("Toast")) == 1


@pytest.mark.parametrize(("key", "what"), [("x", "trade"), ("y", "trends")])
async def test_what_has_no_room_says_so(key: str, what: str) -> None:
    async with screen(60, 18, *BEGUN) as shown:
        await shown.press(key)
        await shown.pilot.pause()
        assert f"no room for the {what}" in shown.text
        await shown.press(key)
        await shown.press("t")
        assert "no room" not in shown.text
