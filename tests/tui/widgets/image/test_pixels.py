"""Pictures drawn with characters, and with real pixels."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode

import pytest
from rich.text import Text
from vramtop.tui.widgets.image import graphics
from vramtop.tui.widgets.image.pixels import Pixels, characters, half_blocks, scale

GREY = Pixels(bytes((0, 255, 128, 64)), height=2, width=2, channels=1)
COLORS = Pixels(bytes((255, 0, 0, 0, 0, 255)), height=2, width=1, channels=3)


def cells(text: Text) -> list[list[tuple[str, str, str]]]:
    """Each line's characters, with their ink and their paper."""
    found = []
    for line in text.split("\n"):
        row = []
        for span in line.spans:
            style = span.style
            color, back = style.color, style.bgcolor  # type: ignore[union-attr]
            row += [(c, color.name, back.name) for c in line.plain[span.start : span.end]]  # type: ignore[union-attr]
        found.append(row)
    return found


def test_a_half_block_holds_two_pixels_one_above_the_other() -> None:
    assert cells(half_blocks(GREY, 1)) == [
        [("▀", "#000000", "#808080"), ("▀", "#ffffff", "#404040")]
    ]
    assert cells(half_blocks(COLORS, 1)) == [[("▀", "#ff0000", "#0000ff")]]


def test_a_larger_pixel_is_as_many_columns_as_half_lines() -> None:
    two = cells(half_blocks(GREY, 2))
    upper, lower = (
        [("▀", c, c) for c in ("#000000", "#ffffff")],
        [("▀", c, c) for c in ("#808080", "#404040")],
    )
    assert two == [[cell for cell in row for _ in range(2)] for row in (upper, lower)]
    three = cells(half_blocks(GREY, 3))
    assert [row[0] for row in three] == [
        ("▀", "#000000", "#000000"),
        ("▀", "#000000", "#808080"),
        ("▀", "#808080", "#808080"),
    ]
    assert {len(row) for row in three} == {6}


def test_without_colours_the_brighter_has_more_ink_on_a_dark_paper_and_less_on_a_light_one() -> (
    None
):
    steps = Pixels(bytes((0, 60, 120, 180, 255)) * 2, height=2, width=5, channels=1)
    dark, light = (characters(steps, 1, dark=dark).plain for dark in (True, False))
    ramp = " .:-=+*#%@"
    inks = [ramp.index(character) for character in dark]
    assert inks == sorted(set(inks))
    assert dark[0] == light[-1] == " "
    assert dark[-1] == light[0] == "@"
    assert dark.isascii()


@pytest.mark.parametrize(
    ("width", "height", "times"),
    [(28, 14, 1), (56, 28, 2), (56, 27, 1), (55, 28, 1), (84, 42, 3), (27, 14, 0), (28, 13, 0)],
)
def test_pixels_are_whole(width: int, height: int, times: int) -> None:
    assert scale(Pixels(bytes(784), 28, 28, 1), width, height) == times


# ---- real pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "known"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-ghostty"}, True),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, False),
        ({"TERM": "xterm-256color"}, False),
        ({}, False),
    ],
)
def test_only_terminals_that_are_known_for_graphics_get_them(
    environment: dict[str, str], known: bool
) -> None:
    assert graphics.available(environment) is known


def noise(width: int) -> Pixels:
    """Values that hardly compress, so that they need several commands."""
    values, state = bytearray(), 1
    for _ in range(width * width * 3):
        state = state * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        values.append(state >> 16 & 0xFF)
    return Pixels(bytes(values), width, width, 3)


def test_the_pixels_arrive_enlarged_in_commands_of_at_most_4096_characters() -> None:
    pixels = noise(32)
    commands = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", graphics.transmission(pixels, 64, 32))
    assert len(commands) > 1
    assert all(len(data) <= 4096 for _, data in commands)
    assert [keys.split(",")[-1] for keys, _ in commands] == ["m=1"] * (len(commands) - 1) + ["m=0"]
    first = dict(pair.split("=") for pair in commands[0][0].split(","))
    assert first["i"] == str(graphics.identity(pixels))
    assert (first["U"], first["q"], first["c"], first["r"]) == ("1", "2", "64", "32")
    side = int(first["s"])
    assert side == int(first["v"])
    dots = zlib.decompress(b64decode("".join(data for _, data in commands)))
    assert len(dots) == side * side * 3
    times = side // 32
    for x, y in ((0, 0), (31, 0), (5, 17), (31, 31)):
        at = ((y * times + times - 1) * side + x * times + times - 1) * 3
        assert f"#{dots[at : at + 3].hex()}" == pixels.color(x, y)


def test_each_placeholder_says_its_row_and_column_and_their_colour_the_picture() -> None:
    text = graphics.placeholders(GREY, 3, 2)
    rows = [re.findall("\U0010eeee(.)(.)", line) for line in text.plain.split("\n")]
    # The first three of the protocol's marks.
    marks = ["\u0305", "\u030d", "\u030e"]
    assert rows == [[(marks[row], mark) for mark in marks] for row in range(2)]
    assert str(text.style.color.name) == f"#{graphics.identity(GREY):06x}"  # type: ignore[union-attr]
    assert text.cell_len == 3 + 3


def test_other_pixels_have_another_number() -> None:
    assert graphics.identity(GREY) != graphics.identity(COLORS)
    assert 0 < graphics.identity(GREY) < 2**24
