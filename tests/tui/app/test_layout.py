"""At every size each part is within the screen and over no other, and nothing is cut."""

from __future__ import annotations

import re

import pytest
from made import BEGUN, HELLO, begun_on, configured, measured, out_of_memory, sample
from rich.text import Text
from screens import Screen, assert_apart, screen
from textual.widget import Widget
from vramtop.protocol.messages import Device, Flow
from vramtop.protocol.split import Split
from vramtop.tui.widgets.lines import KeyLine
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.worker.link import Received

HELD = (Flow(paused=True, slow=False), sample(704, phase="backward", split=Split(9, 9, 18, 7)))
OUT_OF_MEMORY = out_of_memory()
# A session: each moment begins with these messages.
SESSION: dict[str, tuple[Received, ...]] = {
    "starting": (),
    "configured": (HELLO, configured()),
    "running": (sample(), measured()),
    "held": HELD,
    "out of memory": (Flow(paused=False, slow=False), configured(batch_size=8192), OUT_OF_MEMORY),
}
# Each side of every size at which the layout changes.
SIZES = [
    (60, 18), (76, 21), (76, 22), (80, 24), (99, 33), (99, 34), (80, 38), (80, 39), (99, 45),
    (99, 46), (100, 22), (100, 33), (100, 34), (120, 39), (120, 40), (167, 45), (168, 46),
    (200, 60),
]  # fmt: skip
# What may end in an ellipsis: a short reason, what is still going on, an older entry of the log.
MAY_END = re.compile(r"logits…|starting the worker…|measuring batch [\d,]+…|on a proces…")


def assert_each_in_its_place(seen: Screen) -> list[Widget]:
    """Each part is within the screen and over no other, down to the keys; returns the parts."""
    parts = assert_apart(seen.app.panels, seen.app.screen.region)
    (keys,) = (part for part in parts if isinstance(part, KeyLine))
    assert keys.region.bottom == seen.app.size.height
    return parts


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_every_part_has_its_place_and_nothing_is_cut(width: int, height: int) -> None:
    async with screen(width, height) as seen:
        for moment, messages in SESSION.items():
            await seen.hear(*messages)
            parts = assert_each_in_its_place(seen)
            (table,) = (part for part in parts if isinstance(part, VisitedTable))
            assert table.region.height >= 3
            if height >= 34:
                (anatomy,) = (part for part in parts if isinstance(part, AnatomyChart))
                assert anatomy.region.height >= 8
            # A device may lose the end of its name, and an out of memory the end of its line.
            whole = [line for line in seen.lines if not re.search("machine memory|!", line)]
            assert "…" not in MAY_END.sub("", "\n".join(whole)), moment


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("device", [HELLO.device, Device("cuda:0", "a GPU", 4 * 2**30)])
async def test_the_tour_and_a_chosen_category_leave_every_part_its_place(
    width: int, height: int, device: Device
) -> None:
    async with screen(width, height, *begun_on(device)) as seen:
        # The tour alone; a chosen category in each of the three layouts, and beside the tour.
        for keys, least in (
            (("T",), 0),
            (("escape", "down"), 5),
            ("p", 5),
            ("p", 5),
            ("p", 5),
            ("T", 1),
        ):
            await seen.press(*keys)
            assert_each_in_its_place(seen)
            assert seen.app.query_one(TensorTable).region.height >= least


@pytest.mark.parametrize("height", [2, 4, 8])
async def test_no_line_is_longer_than_its_room(height: int) -> None:
    async with screen(120, 40) as seen:
        for messages in SESSION.values():
            await seen.hear(*messages)
            for part in seen.app.panels:
                for width in (*range(58, 94), 106, 130, 166, 198):
                    picture = part.draw(part.pick(seen.app.state), width, height)
                    if isinstance(picture, Text):  # a strip is cut; what it tells has its own tests
                        longest = max(line.cell_len for line in picture.split("\n"))
                        assert longest <= width, (part, width, picture.plain)


async def test_at_80_by_24_the_batch_sizes_stand_under_the_anatomy() -> None:
    others = [configured(batch_size=128), sample(768, batch_size=128), measured(128)]
    async with screen(80, 24, *BEGUN, *others) as seen:
        header = next(i for i, line in enumerate(seen.lines) if "samples/s" in line)
        assert "zero" in seen.lines[header - 1]
        assert [line.split()[0] for line in seen.lines[header + 1 : header + 3]] == ["64", "▸"]
        assert "log scale" not in seen.text


async def test_a_very_wide_screen_shows_the_layers_and_their_sum() -> None:
    async with screen(167, 45, *BEGUN) as seen:
        assert "Model" not in seen.text
    async with screen(168, 45, *BEGUN) as seen:
        (model,) = (line for line in seen.lines if "Model" in line)
        assert model.split("Model")[1].split() == ["101,770", "101,760", "10", "397.5", "KiB"]


async def test_the_first_look_tells_what_the_categories_mean() -> None:
    async with screen(120, 40) as seen:
        assert "–" not in seen.text
        assert "one for every parameter, made by backward" in seen.line("Gradients")
        assert "press + and watch the batch double" in seen.text
        await seen.hear(HELLO, configured())
        # The formula is known before anything is measured, and nothing stands in its place.
        assert seen.line("Batch data").split() == ["Batch", "data", "3,136", "×", "64", "196.0"]
        assert seen.line("Total").split() == ["Total", "1,818.2"]
