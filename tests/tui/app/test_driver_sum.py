"""The help of a program says of what the driver's figure is the sum, with the bytes of now."""

from __future__ import annotations

import pytest
from driver_sums import DEVICE, PROCESS
from msgspec.structs import replace
from recorded_app import program
from textual.app import App
from vramtop.protocol.observed.driver import DriverSum
from vramtop.tui.widgets.help import HelpText
from vramtop.tui.words import units
from vramtop.tui.words.driver import NAMES
from vramtop.tui.worker.link import DriverSaid


def told(app: App[int]) -> list[str]:
    text = app.screen.query_one(HelpText)
    return [line.plain for line in text._text(text.content_size.width)]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("found", [PROCESS, DEVICE], ids=["process", "device"])
async def test_each_term_stands_in_two_lines_with_its_bytes(
    size: tuple[int, int], found: DriverSum
) -> None:
    async with program(size) as pilot:
        pilot.app.receive(DriverSaid(found))  # type: ignore[attr-defined]
        await pilot.press("question_mark")
        await pilot.pause()
        lines = told(pilot.app)
        begin = next(at for at, line in enumerate(lines) if "why nvidia-smi shows more" in line)
        column = lines[begin].index("why")
        terms = [("in use", found.bytes), *((NAMES[term], b) for term, b in found.terms.items())]
        if found.pinned is not None:
            terms.append(("pinned", found.pinned))
        for row, (name, size_) in enumerate(terms):
            first, second = lines[begin + 1 + 2 * row : begin + 3 + 2 * row]
            assert first[column:].startswith(f"{name} ")
            assert second[column:].startswith(f"{units.size(size_)} ")
            assert len(first[column:].split()) > 3
            assert len(second[column:].split()) > 3
        assert not lines[begin + 1 + 2 * len(terms)][column:].strip()


async def test_the_help_says_nothing_of_a_figure_that_is_not_known_or_is_of_another_device() -> (
    None
):
    async with program() as pilot:
        app = pilot.app
        app.receive(DriverSaid(PROCESS))  # type: ignore[attr-defined]
        watched = app.state.watched  # type: ignore[attr-defined]
        app.receive(replace(watched, device="cuda:1"))  # type: ignore[attr-defined]
        await pilot.press("question_mark")
        await pilot.pause()
        assert not any("nvidia-smi" in line for line in told(app))
