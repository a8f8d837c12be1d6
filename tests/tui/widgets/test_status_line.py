"""The first line: what counts most is there at every width."""

from __future__ import annotations

import re

import pytest
from made import HELLO, configured, out_of_memory, sample
from msgspec.structs import replace
from screens import screen
from vramtop.protocol.lesson.messages import LessonOutOfMemory
from vramtop.protocol.messages import Flow

BUDGET = 24 * 2**20
CONFIGURED = configured(dataset="cifar10", optimizer="momentum", batch_size=6000, budget=BUDGET)
SYNTHETIC = replace(CONFIGURED, data=replace(CONFIGURED.data, source="synthetic"))
PAUSED = Flow(paused=True, slow=False)
STUCK = out_of_memory(batch_size=6000, restored=None)


@pytest.mark.parametrize(
    ("width", "height", "cap"),
    [(60, 18, "≤24.0M"), (80, 24, "≤ 24.0 MiB"), (120, 40, "≤ 24.0 MiB")],
)
@pytest.mark.parametrize(
    ("message", "flag"), [(PAUSED, r" PAUSED "), (STUCK, r" (OOM|OUT OF MEMORY) ")]
)
async def test_synthetic_capped_and_halted_are_shown_at_every_width(
    width: int, height: int, cap: str, message: Flow | LessonOutOfMemory, flag: str
) -> None:
    async with screen(width, height, HELLO, SYNTHETIC, sample(), message) as seen:
        first = seen.lines[0]
        for text in ("CIFAR-10 synthetic", "batch 6,000", "momentum", f"  {cap} "):
            assert text in first
        assert re.search(flag, first)
        assert "…" not in first


async def test_without_a_budget_nothing_is_capped() -> None:
    async with screen(120, 40, HELLO, configured(), sample()) as seen:
        assert "≤" not in seen.lines[0]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
async def test_the_device_is_named_in_the_first_two_lines(width: int) -> None:
    async with screen(width, 24, HELLO, SYNTHETIC, sample(), PAUSED) as seen:
        assert HELLO.device.description in "\n".join(seen.lines[:2])


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_files_of_the_same_format_are_called_by_their_own_name(width: int) -> None:
    data = replace(
        configured().data, source="files", description="Fashion-MNIST, 60,000 images from files"
    )
    async with screen(width, 24, HELLO, replace(configured(), data=data), sample()) as seen:
        assert "Fashion-MNIST files" in seen.lines[0]
        assert "batch 64" in seen.lines[0]
