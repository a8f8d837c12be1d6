"""Every theme: categories distinct for every kind of vision, and readable text."""

from __future__ import annotations

from itertools import combinations

import pytest
from rich.color import Color, ColorSystem
from vision import VISIONS, distance, seen
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.app.choices import THEMES
from vramtop.tui.terminal.palette import PALETTES, TERMINAL, TEXTUAL_THEMES, Palette, contrast, fill

DRAWN = [palette for palette in PALETTES.values() if palette is not TERMINAL]
# A difference of 1 is the least that is seen where two patches touch. Ten times that is seen at a
# glance, and between patches that do not touch.
APART = 10.0
# What WCAG 2.1 asks of graphics (1.4.11), of text (1.4.3), and of text with high contrast (1.4.6).
GRAPHICS, TEXT, HIGH = 3.0, 4.5, 7.0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        # Rows of the test data that Sharma, Wu and Dalal publish for CIEDE2000.
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_its_published_test_data(
    one: tuple[float, float, float], other: tuple[float, float, float], apart: float
) -> None:
    assert distance(one, other) == pytest.approx(apart, abs=1e-4)
    assert distance(other, one) == pytest.approx(apart, abs=1e-4)


@pytest.mark.parametrize("vision", VISIONS)
def test_grey_is_grey_to_all_eyes(vision: str) -> None:
    _, a, b = seen("#808080", vision)
    assert (a, b) == pytest.approx((0, 0), abs=0.1)


def test_red_and_green_are_alike_to_deuteranopes_alone() -> None:
    red, green = "#a06000", "#6b7a00"
    apart = {v: distance(seen(red, v), seen(green, v)) for v in ("usual", "deuteranopia")}
    assert apart["usual"] > 2 * apart["deuteranopia"]


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colors", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
@pytest.mark.parametrize("palette", DRAWN)
def test_every_kind_of_vision_tells_the_categories_apart(
    palette: Palette, colors: ColorSystem, vision: str
) -> None:
    written = (Color.parse(color).downgrade(colors).get_truecolor().hex for color in palette.fills)
    looks = dict(zip(ALL_CATEGORIES, (seen(color, vision) for color in written), strict=True))
    apart = {pair: distance(looks[pair[0]], looks[pair[1]]) for pair in combinations(looks, 2)}
    assert len(apart) == 21
    assert not {pair for pair, value in apart.items() if value < APART}


@pytest.mark.parametrize("palette", DRAWN)
def test_every_category_stands_off_its_background(palette: Palette) -> None:
    least = TEXT if palette is PALETTES["high-contrast"] else GRAPHICS
    assert min(contrast(color, palette.background) for color in palette.fills) >= least


@pytest.mark.parametrize("palette", DRAWN)
def test_words_can_be_read_on_the_background_and_on_the_track(palette: Palette) -> None:
    least = HIGH if palette is PALETTES["high-contrast"] else TEXT
    for color in (palette.text, palette.muted, palette.accent, palette.good, palette.trouble):
        assert contrast(color, palette.background) >= least, color
    assert contrast(palette.text, palette.track) >= least
    assert contrast(palette.on_accent, palette.accent) >= least


@pytest.mark.parametrize("palette", DRAWN)
def test_text_is_still_text_where_a_terminal_has_16_colours(palette: Palette) -> None:
    nearest = {
        name: Color.parse(color).downgrade(ColorSystem.STANDARD).number
        for name, color in (("paper", palette.background), ("text", palette.text))
    }
    assert nearest["paper"] != nearest["text"]


def test_the_terminals_own_colours_are_all_of_the_16() -> None:
    for first in range(len(ALL_CATEGORIES)):
        style = fill(TERMINAL, first, first)
        for color in (style.color, style.bgcolor):
            assert color
            assert color.is_system_defined
    assert len(set(TERMINAL.fills)) == len(ALL_CATEGORIES)


def test_every_theme_that_can_be_chosen_has_its_colours_for_textual_too() -> None:
    assert [theme.name for theme in TEXTUAL_THEMES] == list(PALETTES) == list(THEMES)
