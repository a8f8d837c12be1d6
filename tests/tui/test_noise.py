"""The gradient's noise in words: what it says of the batch, and where it stands."""

from __future__ import annotations

import pytest
from made import HELLO, configured, measured, noise, sample
from msgspec.structs import replace
from screens import screen
from vramtop.trainer.protocol import Ended
from vramtop.tui.noise import sentence, told
from vramtop.tui.run import Run
from vramtop.tui.state import State, fold
from vramtop.tui.summary import summaries
from vramtop.tui.widgets.trends import Trends

BEGUN = (HELLO, configured(), measured(), sample(640), sample(1280))


@pytest.mark.parametrize(
    ("batch_size", "says"),
    [
        (64, ": larger batches gain"),
        (300, ": the batch is about as large"),
        (4096, ": larger batches gain little"),
    ],
)
def test_it_says_where_the_batch_stands(batch_size: int, says: str) -> None:
    assert told(noise(), batch_size, 80).endswith(says)


@pytest.mark.parametrize("width", range(120))
def test_it_is_whole_at_every_width(width: int) -> None:
    for one in (noise(), noise(None), noise(12_345.0, 9_876.0, 23_456.0), noise(0.3, 0.0, 1.2)):
        text = told(one, 64, width)
        assert len(text) <= width
        assert text or width < 20
    assert told(None, 64, width) == ""


def test_the_band_stands_beside_the_scale() -> None:
    assert told(noise(), 64, 30) == "noise scale ≈ 310 (180–520)"
    assert told(noise(12_345.0, 9_876.0, 23_456.0), 64, 34) == "noise scale ≈ 12.3k (9.9k–23.5k)"


def test_what_is_too_noisy_gives_no_figure() -> None:
    assert told(noise(None), 64, 80) == "gradient noise scale: too noisy yet after 12 estimates"
    assert sentence(noise(None)) == "Gradient noise scale: too noisy after 12 estimates"
    first = replace(noise(None), estimates=1)
    assert told(first, 64, 80) == "gradient noise scale: too noisy yet after 1 estimate"


@pytest.mark.parametrize("size", [(120, 40), (200, 60), (80, 24)])
async def test_it_stands_below_the_trends(size: tuple[int, int]) -> None:
    async with screen(*size, *BEGUN) as seen:
        if size[0] < 100:
            await seen.press("y")
        trends = seen.app.query_one(Trends)
        charts = seen.text.count("samples/s    64,000")
        assert "noise" not in seen.text
        await seen.hear(noise())
        assert "noise scale ≈ 310 (180–520)" in seen.lines[trends.region.bottom - 1]
        assert seen.text.count("samples/s    64,000") == charts
        assert any("batch " in line for line in seen.lines[trends.region.y :])


def test_another_model_has_another_noise_and_another_batch_the_same() -> None:
    state = State(configured().settings)
    for message in (*BEGUN, noise(), configured(batch_size=128)):
        state = fold(state, message)
    assert state.noise == noise()
    assert fold(state, configured(batch_size=128, hidden=64)).noise is None


def test_a_run_without_a_screen_tells_it_at_its_end() -> None:
    run = Run()
    for message in (*BEGUN, noise(), Ended(20, 1280)):
        run.add(message)
    wide, _ = summaries(run)
    assert str(wide[-1]).endswith(
        "Gradient noise scale 310 images, 90% sure within 180 to 520, by 1,234 estimates"
    )
