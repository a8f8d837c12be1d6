from __future__ import annotations

import pytest
from made import BEGUN, measured, sample
from screens import Screen, screen
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Phase, Split
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.step.stretches import column_of, stretches

HELD = Flow(paused=True, slow=False)


def at(phase: Phase) -> tuple[Flow, object]:
    return HELD, sample(704, phase=phase, split=Split(parameters=5))


def accented(seen: Screen) -> str:
    """What is in the accent colour on the line of the phases."""
    strips = seen.app.screen._compositor.render_strips()
    (strip,) = (s for s in strips if "╵load" in s.text and "╵zero" in s.text)
    marked = [
        s.text for s in strip if s.style and s.style.color and s.style.color.name == DARK.accent
    ]
    return "".join(marked)


@pytest.mark.parametrize(
    ("phase", "name"),
    [("load", "load"), ("backward", "backward"), ("optimizer", "optimizer"), ("zero_grad", "zero")],
)
async def test_the_phase_after_which_a_step_is_held_is_marked(phase: Phase, name: str) -> None:
    async with screen(120, 40, *BEGUN) as seen:
        assert accented(seen) == ""
        await seen.hear(*at(phase))
        assert accented(seen).startswith(f"╵{name} ─")
        assert accented(seen).endswith("─╯")
        await seen.hear(Flow(paused=False, slow=False))
        assert accented(seen) == ""


async def test_the_peaks_operator_is_named_once_and_in_short() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        assert seen.text.count("by div") == 1
        assert "aten" not in seen.text
        assert "peak 2.14 MiB in optimizer, by div" in seen.text
        await seen.hear(*at("load"))
        # The split bar shows another moment now, and the mark of the peak says it instead.
        assert seen.text.count("by div") == 1
        assert "▼ peak 2.14 MiB, by div" in seen.text


def test_it_is_drawn_in_however_few_columns_wherever_the_cursor_is() -> None:
    anatomy = measured().anatomy
    for width in range(1, 12):
        parts = stretches(anatomy, width)
        assert sum(len(part.columns) for part in parts) == width
        assert {column_of(parts, place) for place in range(len(anatomy.curve))} <= set(range(width))
