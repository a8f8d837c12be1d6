"""The screen with an image, the model and the batch size: its keys and what stands on it."""

from __future__ import annotations

from typing import Any

import pytest
from made import HELLO, configured, measured, picture, sample
from msgspec.structs import replace
from rich.text import Text
from screens import assert_apart
from scripted import Script, begin, painted, seen
from vramtop.protocol.lesson.commands import Change, ShowImage
from vramtop.protocol.lesson.messages import Data
from vramtop.protocol.messages import Layer
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.image import ImageScreen
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.widgets.hints import KeyHints
from vramtop.tui.widgets.image.picture import PicturePanel

LAYERS = (
    Layer("Flatten", (784,), 0, 0, "Flatten", 0, 0),
    Layer("Linear 784 → 128", (128,), 100_480, 401_920, "Linear", 100_352, 128),
    Layer("ReLU", (128,), 0, 0, "ReLU", 0, 0),
    Layer("Linear 128 → 10", (10,), 1_290, 5_160, "Linear", 1_280, 10),
)
CONFIGURED = replace(configured(), layers=LAYERS)
TRAINING = (HELLO, CONFIGURED, sample(), measured())
KINDS = ("disc", "square")
DRAWN = Data("synthetic", "CIFAR-10 synthetic, drawn shapes", 50_000, 10_000, (3, 32, 32), KINDS)
CIFAR = replace(configured(dataset="cifar10"), layers=LAYERS, data=DRAWN)
DISC = replace(
    picture(1, shape=(3, 32, 32)), label=1, class_name="horizontal stripes", source="synthetic"
)
# One a layout, and each side of where the layout changes.
SIZES = [(60, 18), (76, 21), (80, 24), (115, 40), (116, 38), (116, 39), (120, 40), (200, 60)]


def asked(script: Script) -> list[int | None]:
    """The index of each image that was asked for."""
    return [command.index for command in script.sent if isinstance(command, ShowImage)]


async def show(pilot: Any, *messages: Any) -> None:
    """Begin with these, open the screen, and let the worker answer with an image."""
    await begin(pilot, *(messages or (*TRAINING, picture())))
    await pilot.press("i")
    await pilot.pause()


# ---- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["escape", "i"])
async def test_i_opens_the_screen_asks_for_an_image_and_closes_it_again(
    app: VramtopApp, script: Script, key: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, *TRAINING)
        assert isinstance(app.screen, ImageScreen)
        assert "waiting for an image" in seen(app)
        await begin(pilot, picture())
        assert "label 5" in seen(app)
        await pilot.press(key)
        assert not isinstance(app.screen, ImageScreen)
    assert asked(script) == [None]


async def test_an_image_that_was_seen_is_there_at_once(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        assert "label 5" in seen(app)
    assert asked(script) == []


async def test_n_asks_for_the_next_image_and_shift_n_for_the_one_before(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, *TRAINING, picture(7))
        await pilot.press("n", "n", "N")
        app.receive(picture(0))
        app.paint()
        await pilot.press("N")
    assert asked(script) == [None, None, 6, 5999]


async def test_n_elsewhere_opens_the_screen(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING)
        await pilot.press("n")
        assert isinstance(app.screen, ImageScreen)
    assert asked(script) == [None]


async def test_the_keys_of_the_training_go_on_working(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        await pilot.press("plus")
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        assert "another image" in seen(app)
        await pilot.press("escape")
        assert isinstance(app.screen, ImageScreen)
    assert script.changes == [{"batch_size": 128}]


async def test_another_dataset_brings_an_image_of_its_own(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        await pilot.press("d")
        assert isinstance(script.sent[-1], Change)
        app.receive(CIFAR)
        await pilot.pause()
        assert asked(script) == [None]
        assert "label 5" not in seen(app)
        app.receive(DISC)
        await pilot.pause()
        assert "horizontal stripes" in seen(app)
        assert "CIFAR-10 synthetic" in seen(app)


async def test_a_change_of_the_batch_keeps_the_image(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        app.receive(replace(configured(batch_size=128), layers=LAYERS))
        await pilot.pause()
        assert "128×1×28×28" in seen(app)
        assert "label 5" in seen(app)
    assert asked(script) == []


async def test_before_there_is_a_training_there_is_no_image(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("i")
        await pilot.pause()
        assert "the worker is still starting" in seen(app)
        assert not isinstance(app.screen, ImageScreen)
    assert script.sent == []


async def test_both_are_in_the_command_palette(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING)
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        assert "another image (n)" in commands["Image: another"].help
        commands["Image and model"].callback()
        await pilot.pause()
        assert isinstance(app.screen, ImageScreen)


# ---- what stands there --------------------------------------------------------------------------

IMAGE = ("label 5", "class five", "1×28×28", "1×1×28×28", "28×28×1", "784", "3,136")
NUMBERS = ("(x − 0.1307) / 0.3081", "−0.42 … 2.82", "takes 4× the bytes of uint8")
TYPES = ("float16", "±65,504", "bfloat16", "±3.39e38", "float64", "±1.80e308", "0 … 255")
MODEL = ("Linear 784 → 128", "100,352", "128", "1,280", "392.5 KiB", "397.5 KiB")
ENDS = ("PyTorch's default", "6,000", "in force", "196.0 KiB", "94", "17.9 MiB", "updates/epoch")
PLACES = ("✓ loader", "✓ loop", "– model", "– summary", "101,770 parameters, whatever the batch")


def assert_shows(app: VramtopApp, *texts: str) -> None:
    screen = seen(app)
    missing = [text for text in texts if text not in screen]
    assert not missing, f"no {missing} in\n{screen}"


async def test_80_columns_show_the_image_first_and_the_model_on_a_second_page(
    app: VramtopApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        assert_shows(app, *IMAGE, *NUMBERS, *ENDS, "tab more")
        await pilot.press("tab")
        await pilot.pause()
        assert_shows(app, *TYPES, *MODEL, *PLACES)
        assert "▀" not in seen(app)
        await pilot.press("tab")
        await pilot.pause()
        assert_shows(app, *IMAGE, "▀")


async def test_a_short_terminal_has_a_third_page(app: VramtopApp) -> None:
    async with app.run_test(size=(60, 18)) as pilot:
        await show(pilot, *TRAINING, picture())
        assert_shows(app, *IMAGE, "▀")
        await pilot.press("tab")
        await pilot.pause()
        assert_shows(app, *TYPES, *MODEL)
        await pilot.press("tab")
        await pilot.pause()
        assert_shows(app, "PyTorch's default", "17.9 MiB", *PLACES)


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_a_large_terminal_shows_all_at_once(app: VramtopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await show(pilot)
        assert_shows(app, *IMAGE, *NUMBERS, *TYPES, *MODEL, *ENDS, *PLACES, "▀")
        before = seen(app)
        await pilot.press("tab")
        assert seen(app) == before
        assert "tab more" not in before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "messages", [(CONFIGURED, picture()), (CIFAR, DISC)], ids=["mnist", "cifar"]
)
async def test_every_part_has_its_place_and_nothing_is_cut(
    app: VramtopApp, size: tuple[int, int], messages: tuple[Any, ...]
) -> None:
    async with app.run_test(size=size) as pilot:
        await show(pilot, HELLO, *messages)
        for _ in range(3):
            parts = assert_apart(app.screen.query("Panel"), app.screen.region)
            (keys,) = (part for part in parts if isinstance(part, KeyHints))
            assert keys.region.bottom == size[1]
            for part in parts:
                width, height = part.content_size
                picture = part.draw(part._shown, width, height)
                strips = [] if isinstance(picture, Text) else [Text(line.text) for line in picture]
                drawn = strips or picture.split("\n")
                assert max(line.cell_len for line in drawn) <= width, (part, drawn)
                assert len(drawn) <= height, (part, drawn)
            text = seen(app).replace(" … ", " to ")
            assert "…" not in text
            assert "no room" not in text
            await pilot.press("tab")
            await pilot.pause()


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 28), ((120, 40), 56), ((200, 60), 84)])
async def test_the_image_is_as_large_as_whole_pixels_can_be(
    app: VramtopApp, size: tuple[int, int], columns: int
) -> None:
    async with app.run_test(size=size) as pilot:
        await show(pilot)
        lines = [line.count("▀") for line in seen(app).splitlines() if "▀" in line]
        assert lines == [columns] * (columns // 2)


async def test_a_batch_of_any_size_has_its_bytes_and_its_updates(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, HELLO, replace(configured(batch_size=4096), layers=LAYERS), picture())
        (line,) = (line for line in seen(app).splitlines() if "in force" in line)
        assert line.split()[:8] == ["▸", "in", "force", "4,096", "4096×1×28×28", "12.2", "MiB", "2"]


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (116, 39), (200, 60)])
async def test_added_batches_are_shown_with_the_images_of_an_update(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    added = replace(configured(batch_size=500, accumulation=4), layers=LAYERS)
    async with app.run_test(size=size) as pilot:
        await show(pilot, HELLO, added, picture())
        pages = seen(app)
        for _ in range(2):
            await pilot.press("tab")
            await pilot.pause()
            pages += seen(app)
    (row,) = {line[: line.index("MiB") + 17] for line in pages.splitlines() if "in force" in line}
    # A batch of 500 is in memory at a time, and 6,000 images make three updates of four of them.
    assert row.split()[:5] == ["▸", "in", "force", "×4", "500"]
    assert row.split()[-3:] == ["1.50", "MiB", "3"]
    assert "500 at a time, 4 times an update" in pages
    assert "an update for 2,000 images, 4 " in pages


async def test_without_colours_the_image_is_ascii(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    colourless = VramtopApp(app.state.lesson.settings, app.training._start)
    async with colourless.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        panel = colourless.screen.query_one(PicturePanel)
        drawn = "".join(line.text for line in panel._lines)
        assert drawn.isascii()
        assert set(drawn) == set(" .:-=+*#%@")


async def test_a_terminal_of_few_characters_or_colours_gets_ascii(app: VramtopApp) -> None:
    for few in (Terminal(characters="ascii"), Terminal(colors=16)):
        plain = VramtopApp(app.state.lesson.settings, app.training._start, terminal=few)
        async with plain.run_test(size=(80, 24)) as pilot:
            await show(pilot)
            assert "▀" not in seen(plain)
            drawn = {c for line in plain.screen.query_one(PicturePanel)._lines for c in line.text}
            assert drawn == set(" .:-=+*#%@")


async def test_a_terminal_with_graphics_gets_the_pixels_before_the_first_line(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        panel = app.screen.query_one(PicturePanel)
        sent = list[str]()
        monkeypatch.setattr(app._driver, "write", sent.append)
        lines = [panel.render_line(y) for y in range(panel.content_size.height)]
        assert [commands[:9] for commands in sent] == ["\x1b_Ga=T,U="]
        assert [line.cell_length for line in lines[:14]] == [28] * 14
        assert "\U0010eeee" in seen(app)
        # Of a part of the screen only a part of a line is drawn.
        assert lines[0].crop(3, 9).cell_length == 6
        await painted(pilot, replace(picture(1), pixels=bytes(784)))
        panel.render_line(0)
        assert sent[-1].startswith("\x1b_Ga=T,U=")
        assert sent[-1] != sent[0]
