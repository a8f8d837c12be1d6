from __future__ import annotations

import pytest
from made import BEGUN, HELLO, P, configured, measured, sample
from screens import screen
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Split
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.step.category_columns import CategoryColumns, columns

PAUSED = Flow(paused=True, slow=False)


def kib(number: int) -> str:
    return f"{number / 1024:,.1f}"


async def test_the_share_is_that_of_the_moment_shown() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        assert seen.line("KiB a step").split()[3:7] == ["at", "peak", "share", "high"]
        peak = 5 * P + 16 + 3144 * 64 + 40 * 64 + 4
        high = 5 * P + 16 + 3144 * 64 + 592 * 64 + 8
        assert seen.line("Optimizer state").split()[2:4] == ["795.1", f"{2 * P / peak:.0%}"]
        assert seen.line("Activations").split()[1:4] == ["2.5", "<1%", "37.0"]
        assert seen.line("Total").split()[1:4] == [kib(peak), "100%", kib(high)]
        held = sample(704, phase="load", split=Split(parameters=P, batch_data=P))
        await seen.hear(PAUSED, held)
        assert seen.line("KiB a step").split()[3:6] == ["held", "share", "high"]
        assert seen.line("Parameters").split()[1:4] == ["397.5", "50%", "397.5"]
        assert seen.line("Gradients").split()[1:4] == ["0.0", "0%", "397.5"]
        assert seen.line("Total").split()[1:3] == ["795.1", "100%"]


async def test_what_is_held_stands_out_from_what_is_not() -> None:
    held = sample(704, phase="load", split=Split(parameters=2**20))
    async with screen(120, 40, *BEGUN, PAUSED, held) as seen:
        assert all(style.bold for style in seen.styles("1,024.0"))
        faint = seen.styles("0.0")
        assert {style.color.name for style in faint if style.color} == {DARK.faint}
        titles = seen.styles("held")
        assert {style.color.name for style in titles if style.color} == {DARK.accent}


async def test_a_few_bytes_are_not_shown_as_none() -> None:
    held = sample(704, phase="load", split=Split(parameters=P, gradients=4))
    async with screen(120, 40, *BEGUN, PAUSED, held) as seen:
        assert seen.line("Gradients").split()[1] == "<0.1"


async def test_the_unit_is_the_same_before_and_after_the_first_measurement() -> None:
    async with screen(120, 40, HELLO, configured()) as seen:
        assert seen.line("KiB a step")
        await seen.hear(measured())
        assert seen.line("KiB a step")


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (55, CategoryColumns(share=0, formula=0, gives=0)),
        (56, CategoryColumns(share=6, formula=0, gives=0)),
        (71, CategoryColumns(share=6, formula=15, gives=0)),
        (70, CategoryColumns(share=6, formula=0, gives=0)),
        (90, CategoryColumns(share=6, formula=15, gives=10)),
        (89, CategoryColumns(share=6, formula=15, gives=0)),
    ],
)
def test_columns_come_as_soon_as_there_is_room(width: int, shown: CategoryColumns) -> None:
    assert columns(width, 11) == shown


def test_a_long_formula_has_a_wider_column() -> None:
    assert columns(120, 14).formula == 16


async def test_at_76_columns_share_and_formula_are_shown() -> None:
    async with screen(76, 24, *BEGUN) as seen:
        assert seen.line("Gradients").endswith("397.5   18%       397.5  4 × 101,770    ✓")
