"""The line of keys at the foot of every screen."""

from __future__ import annotations

import pytest
from made import HELLO, configured, measured, picture, sample
from screens import screen

BEGUN = (HELLO, configured(), sample(), measured(), picture())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("opened", [None, "g", "i"])
async def test_help_and_quit_stand_at_its_right_end_at_every_width(
    width: int, opened: str | None
) -> None:
    async with screen(width, 24, *BEGUN) as seen:
        if opened:
            await seen.press(opened)
        foot = seen.lines[-1]
        ends = "? help  q quit" if opened is None else "esc back  ? help  q quit"
        assert foot.endswith(f"  {ends} ")
        assert len(foot) == width
        assert foot.split()[0] in ("+", "↑", "tab")


async def test_less_important_keys_are_left_out_first() -> None:
    async with screen(80, 24, *BEGUN) as seen:
        assert "space pause" in seen.lines[-1]
        await seen.pilot.resize_terminal(60, 18)
        await seen.pilot.pause()
        keys = "+ - batch  b type  m largest  o optimizer"
        assert seen.lines[-1] == f" {keys:<44}? help  q quit "
