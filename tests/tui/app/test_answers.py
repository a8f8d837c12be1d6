"""The answer to a key hides neither the news that follows nor the line of keys."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from made import BEGUN, configured, measured
from screens import screen
from scripted import begin, seen
from vramtop.protocol.lesson.messages import SearchEnded, Tried
from vramtop.protocol.messages import Answer
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.lines import KeyLine, NewsLine

SIZES = [(60, 18), (80, 24), (120, 40)]
LONG = "cannot be: " + "a reason that is far longer than a line of the terminal, " * 2


def foot(app: VramtopApp, size: tuple[int, int]) -> list[str]:
    """The news, and the keys below them."""
    return seen(app).splitlines()[-3 if size[1] >= 39 else -2 :]


@pytest.mark.parametrize("size", SIZES)
async def test_a_search_says_at_once_what_it_has_come_to(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot, *BEGUN)
        keys = foot(app, size)[-1]
        await pilot.press("m")
        await pilot.pause()
        asked = foot(app, size)
        assert asked[0].startswith(" ▸ finding the largest batch; escape calls the search off ")
        app.receive(Tried(4711, fits=True))
        await pilot.pause()
        assert foot(app, size)[0].startswith(" ▸ largest batch: batch 4,711 fits, escape")
        app.receive(SearchEnded(None))
        await pilot.pause()
        assert " ▸ the search for the largest batch is called off " in foot(app, size)[0]
        assert asked[-1] == foot(app, size)[-1] == keys
        assert not app.screen.query("Toast")


@pytest.mark.parametrize("size", SIZES)
async def test_an_answer_with_more_words_than_room_stands_above_news_and_keys(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot, *BEGUN, configured(batch_size=128))
        before = foot(app, size)
        app.receive(Answer(1, LONG))
        for _ in range(2):
            await pilot.pause()
        if size[0] == 120:
            assert "! cannot be" in foot(app, size)[0]
            return
        (toast,) = app.screen.query("Toast")
        assert toast.region.area
        for line in (*app.screen.query(NewsLine), *app.screen.query(KeyLine)):
            assert not toast.region.overlaps(line.region)
        assert foot(app, size) == before


async def test_after_a_while_the_news_is_back(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[tuple[float, Callable[[], None]]] = []

    def set_timer(_: NewsLine, seconds: float, callback: Callable[[], None]) -> SimpleNamespace:
        timers.append((seconds, callback))
        return SimpleNamespace(stop=lambda: None)

    monkeypatch.setattr(NewsLine, "set_timer", set_timer)
    size = (80, 24)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot, *BEGUN, configured(batch_size=128))
        app.paint()
        await pilot.pause()
        before = foot(app, size)
        assert "batch 64 → 128" in before[0]
        await pilot.press("t")
        await pilot.pause()
        assert "light theme" in foot(app, size)[0]
        ((seconds, end),) = timers
        assert seconds == 5
        end()
        await pilot.pause()
        assert foot(app, size) == before


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, "▸ batch 128, sgd, lr 0.01: peak 2.14 MiB → 2.33 MiB"),
        (
            100,
            "▸ batch 64 → 128, optimizer adam → sgd, lr 0.001 → 0.01: peak 2.14 MiB → 2.33 MiB",
        ),
    ],
)
async def test_news_of_two_changes_at_once_comes_with_its_result(width: int, line: str) -> None:
    news = (configured(batch_size=128, optimizer="sgd"), measured(128))
    async with screen(width, 18, *BEGUN, *news) as shown:
        assert shown.lines[-2].strip() == line
