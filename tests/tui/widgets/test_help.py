"""The help names every key and every word, and no others."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from scripted import begin, seen
from vramtop.protocol.split import CATEGORIES
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.terminal.palette import GLYPHS
from vramtop.tui.tour.panel import TourStrip
from vramtop.tui.tour.steps import STEPS
from vramtop.tui.widgets.help import HelpText
from vramtop.tui.words.keys import GPU_KEYS, KEYS, Key, grouped
from vramtop.tui.words.vocabulary import READING, WORDS
from vramtop.tui.words.wording import NAMES

TERMS = (
    *(name.lower() for name in NAMES.values()),
    *("split", "boundary", "anatomy", "peak", "high water", "formula", "allocated", "reserved"),
    *("cache", "rounding", "workspace", "context", "budget", "settled"),
)


def lines(app: VramtopApp | GpuApp) -> list[str]:
    """All of the help's lines, those that are scrolled away too."""
    text = app.screen.query_one(HelpText)
    return [line.plain for line in text._text(text.content_size.width)]


def names(words: Sequence[str], key: Key) -> bool:
    entry = re.compile(rf"(^|  ){re.escape(key.shown)} +{re.escape(key.help.split()[0])}")
    return any(entry.search(line) for line in words)


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_every_key_and_every_word_is_in_the_help(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        words = lines(app)
        assert all(names(words, key) for key in KEYS)
        for term in TERMS:
            assert any(re.search(rf"(^|  |. ){term} +\S", line) for line in words), term
        for title in (*grouped(KEYS), READING.title, WORDS.title):
            assert any(title in line for line in words)


async def test_the_gpus_alone_have_only_their_own_keys_in_the_help() -> None:
    app = GpuApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        words = lines(app)
        assert all(names(words, key) == (key in GPU_KEYS) for key in KEYS)
        assert "choose a GPU" in seen(app)


async def test_a_category_has_its_glyph_and_its_colour(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        text = app.screen.query_one(HelpText)
        for index, category in enumerate(CATEGORIES):
            words = f"{GLYPHS[category]} {NAMES[category].lower()}"
            (line,) = (line for line in text._text(text.content_size.width) if words in line.plain)
            at = line.plain.index(words)
            colors = {
                str(color.name)
                for span in line.spans
                if span.start == at and not isinstance(span.style, str)
                for color in (span.style.color, span.style.bgcolor)
                if color
            }
            assert text.palette.fills[index] in colors


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_word_takes_one_line(app: VramtopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        words = "\n".join(lines(app))
        assert all(entry.text in words for entry in (*READING.entries, *WORDS.entries))


async def test_it_has_two_columns_where_there_is_room(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert any("batch" in line and READING.title in line for line in lines(app))
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert any("batch" in line and "look" in line for line in lines(app))


async def test_what_does_not_fit_is_scrolled_to(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert "settled" not in seen(app)
        await pilot.press("end")
        await pilot.pause()
        await pilot.wait_for_scheduled_animations()
        assert "settled" in seen(app)


@pytest.mark.parametrize("key", ["escape", "question_mark", "enter", "space"])
async def test_a_key_closes_it(app: VramtopApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.press(key)
        assert not isinstance(app.screen, Help)


async def test_the_tour_begins_from_it(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("question_mark", "T")
        await pilot.pause()
        assert not isinstance(app.screen, Help)
        assert app.screen.query_one(TourStrip).has_focus


async def test_q_quits_from_it(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", "q")
    assert app.return_code == 0


def test_each_key_is_in_one_group_and_a_group_has_only_keys() -> None:
    members = [key for group in grouped(KEYS).values() for key in group]
    assert sorted(members, key=KEYS.index) == list(KEYS)
    assert grouped(KEYS)["batch"] == list(KEYS[:9])
    assert list(grouped(KEYS)) == ["batch", "training", "look", "screen"]


def test_the_tour_names_only_keys_that_there_are() -> None:
    shown = {part for key in KEYS for part in key.shown.split()} | {"enter"}
    named = re.compile(r"\b(?:press|enter|space)\b(?: ([^\s,.]+))?")
    for step in STEPS:
        for match in named.finditer(step.words):
            word = match[1] if match[0].startswith("press") else match[0].split()[0]
            assert word in shown
