from __future__ import annotations

import re

import msgspec
import pytest
from made import BEGUN, sample
from screens import screen
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Split
from vramtop.tui.terminal.palette import DARK, HIGH_CONTRAST, LIGHT, Palette, contrast, label
from vramtop.tui.widgets.step.blocks import bar
from vramtop.tui.widgets.step.labels import labels


def written(split: Split, width: int, rows: int) -> list[str]:
    """What stands in the bar, where it stands."""
    cells = bar(msgspec.structs.astuple(split), split.total, width)
    lines = labels(cells, split, rows)
    return ["".join(line.get(x, " ") for x in range(width)).rstrip() for line in lines]


def test_a_segment_says_its_name_and_its_share() -> None:
    split = Split(parameters=1, optimizer_state=2, batch_data=1)
    assert written(split, 80, 2) == [
        " Parameters          Optimizer state                         Batch data",
        " 25%                 50%                                     25%",
    ]


def test_in_one_line_the_share_follows_the_name() -> None:
    assert written(Split(gradients=1, activations=3), 64, 1) == [" Gradients 25%   Activations 75%"]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (12, [" Gradients", " 100%"]),
        (11, [" Gradients", " 100%"]),
        (10, [" Grads", " 100%"]),
        (7, [" Grads", " 100%"]),
        (6, ["", " 100%"]),
        (5, ["", ""]),
    ],
)
def test_what_does_not_fit_is_shortened_or_left_out(width: int, lines: list[str]) -> None:
    assert written(Split(gradients=5), width, 2) == lines


@pytest.mark.parametrize("palette", [DARK, LIGHT, HIGH_CONTRAST])
@pytest.mark.parametrize("index", range(6))
def test_words_can_be_read_on_every_colour(palette: Palette, index: int) -> None:
    style = label(palette, index)
    assert style.color
    assert style.bgcolor
    assert contrast(style.color.name, style.bgcolor.name) >= 4.5


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def words(line: str) -> list[str]:
    """Those in a bar, without the blocks between them."""
    return re.findall(r"[\w%.]+", re.sub(r"[▉▊▋▌▍▎▏]", " ", line))


async def test_a_tall_screen_has_names_over_shares_and_a_low_one_what_fits() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        assert words(seen.line("Params")) == ["Params", "Grads", "Optimizer", "state", "Temp."]
        assert words(seen.line("18%")) == ["18%", "18%", "36%", "9%", "18%"]
    async with screen(80, 24, *BEGUN) as seen:
        assert words(seen.line("18%")) == ["18%", "18%", "36%", "18%"]


async def test_what_is_held_is_named_with_its_share_of_that_moment() -> None:
    held = sample(704, phase="load", split=Split(parameters=3 * 2**20, batch_data=2**20))
    async with screen(120, 40, *BEGUN, Flow(paused=True, slow=False), held) as seen:
        assert words(seen.line("Parameters  ")) == ["Parameters", "Batch", "data"]
        assert words(seen.line("75%")) == ["75%", "25%"]


async def test_solid_colours_fill_the_bar_and_patterns_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screen(120, 40, *BEGUN) as seen:
        (bar,) = (line for line in seen.lines if "Grads" in line)
        assert not set("▚▒░▞·") & set(bar)
        assert "▚ Gradients" in seen.text
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen(120, 40, *BEGUN) as seen:
        assert " Grads ▚" in seen.text
