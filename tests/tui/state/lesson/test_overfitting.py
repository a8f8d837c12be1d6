"""A training that overfits has a note beside its loss."""

from __future__ import annotations

import pytest
from made import HELLO, configured, measured, sample
from msgspec.structs import replace
from screens import screen
from vramtop.protocol.lesson.messages import Evaluated
from vramtop.tui.state.history import Point
from vramtop.tui.state.lesson.overfitting import overfits
from vramtop.tui.widgets.runs.trends import Trends

LEAST = Evaluated(9, 0.23, 0.93, 1000, 1000, None)


def points(loss: float) -> tuple[Point, ...]:
    return tuple(Point(64 * step, 64, loss, 64e3, None, None) for step in range(1, 30))


@pytest.mark.parametrize(
    ("test", "train", "does"),
    [(0.38, 0.01, True), (0.24, 0.01, False), (0.38, 0.3, False), (0.23, 0.2, False)],
)
def test_it_does_where_the_test_loss_rose_while_the_training_loss_sank(
    test: float, train: float, does: bool
) -> None:
    seen = Evaluated(99, test, 0.92, 1000, 1000, None)
    assert overfits(seen, LEAST, points(train)) is does


async def test_it_stands_beside_the_loss_until_fresh_weights() -> None:
    now = Evaluated(99, 0.38, 0.92, 1000, 1000, None)
    steps = [sample(64 * step, loss=0.01) for step in range(1, 30)]
    async with screen(200, 60, HELLO, configured(), measured(), *steps, LEAST, now) as seen:
        part = seen.app.query_one(Trends)

        def title(width: int) -> str:
            return part.draw(part.pick(seen.app.state), width, 8)[0].text

        assert title(120).endswith("test 92.00%, overfits: test loss 0.3800, was 0.2300 at epoch 9")
        assert title(40).endswith("test 92.00%, overfits")
        assert "overfits" in seen.text
        await seen.hear(replace(configured(), fresh=True), *steps, now)
        assert title(120).endswith("test 92.00%")
