"""The notes below a sweep: how it was measured."""

from __future__ import annotations

import pytest
from made import configured, measured, sample
from vramtop.protocol.lesson.messages import Evaluated, LessonEnded, Noise
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.headless.rows import make_row
from vramtop.tui.headless.run import Run
from vramtop.tui.headless.sweep_notes import Times, notes, title
from vramtop.tui.worker.sweep_plan import plan

TIMES = Times(5.0, 3.0, 1.5)


def run_of(*messages: Noise, **values: object) -> Run:
    run = Run()
    for message in (configured(**values), measured(), sample(), *messages, LessonEnded(10, 640)):
        run.add(message)
    run.add(Evaluated(1, 0.3, 0.9, 1000, 1000, None))
    return run


def notes_of(*runs: Run, **asked: object) -> list[str]:
    usual = {"steps": None, "images": None, "scale": "none", "repeats": 1}
    planned = plan([Settings()], 6_000, **usual | asked)  # type: ignore[arg-type]
    return notes(planned, runs, [make_row([run]) for run in runs], TIMES)


def test_the_same_images_are_given_in_epochs() -> None:
    same = "Each size: the same initial parameters, the same {} in the same order."
    assert notes_of(run_of())[0] == same.format("30,000 images (5 epochs)")
    assert notes_of(run_of(), images=6_000)[0] == same.format("6,000 images (one epoch)")
    assert notes_of(run_of(), images=1_500)[0] == same.format("1,500 images (0.25 epochs)")


def test_the_same_steps_are_not_the_same_images() -> None:
    assert "50 steps; the larger the batch, the more images" in notes_of(run_of(), steps=50)[0]


def test_repeats_are_given_with_their_seeds() -> None:
    assert any("3 repeats with seeds 42 to 44" in line for line in notes_of(run_of(), repeats=3))


def test_the_time_is_given_with_its_parts() -> None:
    assert notes_of(run_of())[-1] == (
        "Took 5.00 s: 3.00 s to start the worker once, 1.50 s for 1 run, 500.0 ms for all else."
    )


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        (Noise(9, 64, 12, 8.0, 0.04, 200.0, 150.0, 300.0, None), "200 at batch 64 (150 to 300)"),
        (Noise(9, 64, 1, 8.0, -0.04, None, None, None, None), "not known, 1 estimate cannot tell"),
    ],
)
def test_the_noise_has_a_note_where_it_was_estimated(noise: Noise, says: str) -> None:
    assert any(says in line for line in notes_of(run_of(noise)))
    assert not any("noise" in line for line in notes_of(run_of()))


def test_the_title_names_the_batches_of_a_step() -> None:
    planned = plan([Settings()], 6_000, steps=1, images=None, scale="none", repeats=1)
    assert "4 batches a step" in title(planned, run_of(batch_size=16, accumulation=4))
