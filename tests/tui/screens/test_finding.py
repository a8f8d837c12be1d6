"""The search for the largest batch size: its news, its keys and its prediction."""

from __future__ import annotations

import made
import pytest
from made import BEGUN, DATA, configured, log_of, measured
from msgspec.structs import replace
from scripted import Script, begin, seen
from vramtop.protocol.lesson.commands import CallOff, FindLargest
from vramtop.protocol.lesson.messages import Found, Predicted, SearchEnded, Timed, Tried
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.visits import with_prediction
from vramtop.tui.state.state import State
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.words import units
from vramtop.tui.worker.link import Received

FOUND = Found(4711, 3768, "memory", 24 * 2**20, 2**24, 2**25, 2, 1, 512, (Timed(512, 1e5),))


def after(*messages: Received) -> State:
    """The state after these messages of a training that has begun."""
    return made.after(*BEGUN, *messages)


def news(state: State) -> str:
    assert state.news is not None
    return headline(state.news).text


def test_each_real_step_of_a_search_is_news_until_it_ends() -> None:
    state = after(Tried(4711, fits=True))
    assert state.lesson.searching
    assert news(state) == "largest batch: batch 4,711 fits, escape calls the search off"
    assert "batch 4,712 does not fit" in news(fold(state, Tried(4712, fits=False)))
    assert "batch 512: 100,000 images/s" in news(fold(state, Timed(512, 1e5)))
    state = fold(state, SearchEnded(FOUND))
    assert not state.lesson.searching
    assert news(state) == ("largest batch 4,711 in 24.0 MiB, recommended 3,768: press M to take it")
    assert log_of(state)[-1] == news(state)


def test_a_search_that_is_called_off_leaves_what_was_found_before() -> None:
    state = after(SearchEnded(FOUND), Tried(1, fits=True), SearchEnded(None))
    assert (state.lesson.found, state.lesson.searching) == (FOUND, False)
    assert "called off" in news(state)


@pytest.mark.parametrize(
    ("change", "holds"),
    [({"batch_size": 128}, True), ({"learning_rate": 0.1}, True), ({"hidden": 64}, False)],
)
def test_what_was_found_holds_for_these_sizes_only(change: dict[str, object], holds: bool) -> None:
    state = after(SearchEnded(FOUND), configured(**change))
    assert (state.lesson.found is not None) == holds


def test_a_prediction_is_gone_with_the_setting_it_was_for() -> None:
    predicted = Predicted(Settings(batch_size=128), "cpu", measured(128).anatomy, None, None)
    state = after(predicted)
    assert state.lesson.predicted == predicted
    assert fold(state, configured(batch_size=128)).lesson.predicted is None


async def test_m_searches_and_capital_m_takes_the_recommended_size(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot)
        await pilot.press("M")
        assert script.changes == []
        await pilot.press("m")
        assert [type(command) for command in script.sent] == [FindLargest]
        app.receive(Tried(4711, fits=True))
        await pilot.pause()
        assert "batch 4,711 fits" in seen(app)
        await pilot.press("m")
        assert len(script.sent) == 1
        app.receive(SearchEnded(FOUND))
        await pilot.press("M")
        assert script.changes == [{"batch_size": 3768}]


async def test_escape_calls_a_search_off_and_does_nothing_else(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("escape")
        assert script.sent == []
        app.receive(Tried(4711, fits=True))
        await pilot.press("escape")
        assert [type(command) for command in script.sent] == [CallOff]


PREDICTED = Predicted(Settings(batch_size=128), "cpu", measured(128).anatomy, None, None)


async def test_the_prediction_for_plus_is_in_the_table_and_on_the_bar(
    app: VramtopApp,
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        app.receive(PREDICTED)
        await pilot.pause()
        screen = seen(app)
        (row,) = (line for line in screen.splitlines() if line.startswith(" +   128"))
        high, peak = PREDICTED.anatomy.high_water, PREDICTED.anatomy.peak.bytes
        assert row.split()[2] == f"{high.batch_data / 1024:,.1f}"
        assert f"{peak / 1024:,.1f}" in row
        assert "predicted" in row
        assert f"┊ + makes it {units.size(peak)}" in screen


async def test_a_prediction_that_does_not_fit_says_so(app: VramtopApp) -> None:
    needed = replace(PREDICTED, settings=Settings(batch_size=128, budget=2**21), needed=2**21 + 9)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        app.receive(needed)
        await pilot.pause()
        assert "128  would be out of memory: at least 2,097,161 B of 2,097,152 B" in seen(app)


def test_a_size_that_was_tried_is_not_predicted() -> None:
    state = after(configured(batch_size=128), measured(128), configured(), measured(), PREDICTED)
    assert with_prediction(state.lesson.visited, DATA, PREDICTED) == state.lesson.visited
