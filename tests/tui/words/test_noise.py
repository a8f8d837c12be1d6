"""The noise of the gradient in words, and where it is shown."""

from __future__ import annotations

import pytest
from made import HELLO, after, configured, measured, noise, sample
from msgspec.structs import replace
from screens import screen
from vramtop.protocol.lesson.messages import LessonEnded, Noise
from vramtop.tui.headless.run import Run
from vramtop.tui.headless.summary import summaries
from vramtop.tui.state.folding import fold
from vramtop.tui.widgets.runs.trends import Trends
from vramtop.tui.words import noise as words
from vramtop.tui.words.noise import sentence

BEGUN = (HELLO, configured(), measured(), sample(640), sample(1280))


def line_of(latest: Noise | None, batch_size: int, width: int) -> str:
    """The line after a single estimate."""
    known = latest if latest and latest.scale is not None else None
    return words.line(latest, known, batch_size, width)


@pytest.mark.parametrize(
    ("batch_size", "says"),
    [
        (64, ": larger batches gain"),
        (300, ": the batch is about as large"),
        (4096, ": larger batches gain little"),
    ],
)
def test_it_says_where_the_batch_stands(batch_size: int, says: str) -> None:
    assert line_of(noise(), batch_size, 80).endswith(says)


@pytest.mark.parametrize("width", range(120))
def test_it_is_whole_at_every_width(width: int) -> None:
    for one in (noise(), noise(None), noise(12_345.0, 9_876.0, 23_456.0), noise(0.3, 0.0, 1.2)):
        text = line_of(one, 64, width)
        assert len(text) <= width
        assert text or width < 20
    assert line_of(None, 64, width) == ""


def test_the_band_stands_beside_the_scale() -> None:
    assert line_of(noise(), 64, 30) == "noise scale ≈ 310 (180–520)"
    assert line_of(noise(12_345.0, 9_876.0, 23_456.0), 64, 34) == "noise scale ≈ 12.3k (9.9k–23.5k)"


def test_what_is_too_noisy_gives_no_figure() -> None:
    assert line_of(noise(None), 64, 110) == (
        "gradient noise scale: batches of 64 are too noisy to tell it; "
        "larger ones do, and fresh weights (0)"
    )
    assert line_of(noise(None), 64, 60) == "noise scale: too noisy at batch 64; + or 0 helps"
    assert sentence(noise(None)) == "Gradient noise scale: too noisy after 12 estimates"
    first = replace(noise(None), estimates=1)
    assert sentence(first) == "Gradient noise scale: too noisy after 1 estimate"


def test_a_scale_stays_with_its_step_when_it_can_no_longer_be_estimated() -> None:
    state = after(*BEGUN, noise(), noise(None))
    assert (state.lesson.noise, state.lesson.noise_known) == (noise(None), noise())
    assert words.line(state.lesson.noise, state.lesson.noise_known, 64, 110) == (
        "noise scale ≈ 310 (180–520) at step 640; "
        "now the gradient is too small to tell, 0 begins again"
    )
    assert words.line(state.lesson.noise, state.lesson.noise_known, 64, 70) == (
        "noise scale ≈ 310 (180–520) at step 640; now too small to tell"
    )
    assert fold(state, replace(configured(), fresh=True)).lesson.noise_known is None


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
    state = after(*BEGUN, noise(), configured(batch_size=128))
    assert state.lesson.noise == noise()
    assert fold(state, configured(batch_size=128, hidden=64)).lesson.noise is None


def test_a_run_without_a_screen_tells_it_at_its_end() -> None:
    run = Run()
    for message in (*BEGUN, noise(), LessonEnded(20, 1280)):
        run.add(message)
    wide, _ = summaries(run)
    assert str(wide[-1]).endswith(
        "Gradient noise scale 310 images, 90% sure within 180 to 520, by 1,234 estimates"
    )
