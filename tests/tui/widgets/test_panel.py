"""The regions that a panel draws again when the state changes."""

from __future__ import annotations

import msgspec
import pytest
from made import sample
from scripted import begin
from textual.geometry import Region
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.panel import Panel


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[Panel[object], list[tuple[Region, ...]]]:
    """The regions that each panel asks for; none of them means the whole."""
    refresh, asked = Panel.refresh, {}

    def note(panel: Panel[object], *regions: Region, **more: bool) -> Panel[object]:
        asked.setdefault(panel, []).append(regions)
        return refresh(panel, *regions, **more)

    monkeypatch.setattr(Panel, "refresh", note)
    return asked


async def test_a_digit_that_changes_is_all_that_is_drawn_again(
    app: VramtopApp, asked: dict[Panel[object], list[tuple[Region, ...]]]
) -> None:
    first = sample(6_400)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        app.receive(first)
        app.paint()
        await pilot.pause()
        asked.clear()
        app.receive(msgspec.structs.replace(first, loss=0.6))
        app.paint()
        assert asked, "no panel has shown the new loss"
        for panel, regions in asked.items():
            assert () not in regions, f"{panel} is drawn again as a whole"
        cells = sum(region.area for many in asked.values() for few in many for region in few)
        assert cells <= 24, f"{asked}"


async def test_what_is_the_same_is_not_drawn_again(
    app: VramtopApp, asked: dict[Panel[object], list[tuple[Region, ...]]]
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        app.receive(sample(6_400))
        app.paint()
        await pilot.pause()
        asked.clear()
        app.receive(sample(6_400))
        app.paint()
        assert not asked
