"""The screen on a program that is not the lesson's: no epochs, no batches, steps without a loss."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from program import BEGUN, LOADED, MEASURED, MIB, PROGRAM, STEPS, step
from scripted import Script, begin, painted, seen
from vramtop.protocol.messages import Ended, Flow, Note, OutOfMemory
from vramtop.protocol.observed.report import Layer
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.help import HelpText
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.step.layers import LayerTable
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.words import units
from vramtop.tui.words.keys import KEYS, PROGRAM_KEYS
from vramtop.tui.worker.link import Modules, WorkerGone

SIZES = [(80, 24), (120, 40)]
LESSON_WORDS = (
    "epoch", "batch", "image", "Adam", "adam", "MNIST", "mnist", "lesson", "logits", "targets",
    "hidden", "accuracy", "sample", "predicted", "None",
)  # fmt: skip
OUT_OF_MEMORY = OutOfMemory(
    phase="backward",
    operator="aten.mm.default",
    split=LOADED,
    detail="CUDA out of memory.",
    needed=900 * MIB,
    limit=800 * MIB,
    wanted=200 * MIB,
    free=100 * MIB,
)


@pytest.fixture
def other(script: Script) -> VramtopApp:
    """The monitor on a scripted worker that observes a program of its own."""

    return VramtopApp(None, script.start)


def row(text: str, name: str) -> str:
    """The row of a category, or of the total."""
    start = "   Total" if name == "Total" else f" [^ ] {name}"
    return next(line.rstrip() for line in text.splitlines() if re.match(start, line))


def lesson_words(text: str) -> list[str]:
    """Those of the lesson's words that stand there; "Batch data" is every program's category."""
    text = re.sub("[Bb]atch data|▏Batch|  Batch ", "", text)
    return [word for word in LESSON_WORDS if word in text]


@pytest.mark.parametrize("size", SIZES)
async def test_before_a_step_is_measured_its_formulas_stand_there(
    other: VramtopApp, size: tuple[int, int]
) -> None:
    async with other.run_test(size=size) as pilot:
        await pilot.pause()
        assert "what one step holds" in seen(other)
        assert not lesson_words(seen(other))
        await begin(pilot, *BEGUN[:2])
        assert "4 × 45,682,176" in row(seen(other), "Parameters")
        assert "34 × s·b·h" in row(seen(other), "Activations")
        assert "waiting for a step to measure…" in seen(other)
        assert not lesson_words(seen(other))


async def test_its_rows_show_formula_bytes_and_reasons_as_they_were_sent(other: VramtopApp) -> None:
    async with other.run_test(size=(120, 40)) as pilot:
        text = await painted(pilot, *BEGUN)
        assert row(text, "Parameters").split()[-6:] == [
            "174.3",
            "4",
            "×",
            "45,682,176",
            "174.3",
            "✓",
        ]
        assert row(text, "Gradients").endswith("87.1  +4,096 B all-reduce pads its buckets")
        assert row(text, "Activations").endswith("100.0  +31,457,280 B unexplained")
        assert row(text, "Temporaries").endswith("in backward")
        assert row(text, "Optimizer state").split()[-5:] == ["0.0", "0%", "0.0", "–", "–"]
        assert row(text, "Total").split()[-1] == f"{(182_728_704 + 91_364_352) / MIB + 100:,.1f}"
        peak = 182_728_704 + 16_384 + 130 * MIB
        assert f"peak {peak / MIB:.1f} MiB in forward, by native_layer_norm" in text
        assert not lesson_words(text)


async def test_at_80_columns_the_formulas_and_the_differences_have_room(other: VramtopApp) -> None:
    async with other.run_test(size=(80, 24)) as pilot:
        text = await painted(pilot, *BEGUN)
        assert row(text, "Parameters").endswith("174.3  4 × 45,682,176  ✓")
        assert "2 × 45,682,176  +4,096 B" in row(text, "Gradients")
        assert not lesson_words(text)


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_line_names_it_and_counts_its_steps(
    other: VramtopApp, size: tuple[int, int]
) -> None:
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN)
        first, *_ = seen(other).splitlines()
        assert "vramtop  train_gpt2.py  cpu" in first
        assert first.rstrip().endswith("step       8")
        assert "2 steps/s" in first or "2/s" in first
        other.receive(step(9, loss=3.25))
        await pilot.pause()
        await begin(pilot, Flow(paused=True, slow=False), step(10, loss=3.25))
        assert "step      10  loss  3.2500" in seen(other).splitlines()[0]


async def test_the_trends_are_those_of_its_steps(other: VramtopApp) -> None:
    async with other.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN, *(step(number, loss=9 / number) for number in range(9, 30)))
        await pilot.press("y")
        text = await painted(pilot)
        assert "steps/s" in text
        assert "loss  0.3103" in text
        assert re.search(r"steps 0 +\d+", text)
        assert not lesson_words(text)


async def test_a_program_without_a_loss_has_no_chart_of_it(other: VramtopApp) -> None:
    async with other.run_test(size=(120, 40)) as pilot:
        text = await painted(pilot, *BEGUN)
        assert "loss" not in text
        assert "steps/s" in text


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_its_modules_are_listed_the_most_bytes_first(
    other: VramtopApp, size: tuple[int, int]
) -> None:
    modules = tuple(
        Layer(f"transformer.h.{number}", "Block", 4 * number, 4, 8 * MIB, 2 * number * MIB)
        for number in range(99)
    )
    async with other.run_test(size=size) as pilot:
        text = await painted(pilot, *BEGUN, Modules(modules))
        lines = [line[size[0] // 4 :] for line in text.splitlines()]
        rows = [line.split() for line in lines if "transformer.h." in line]
        names = [row[-7] for row in rows]
        assert names == [f"transformer.h.{98 - number}" for number in range(len(rows))]
        assert rows[0][-6:] == ["Block", "392", "4", "8.00M", "196M", "2%"]
        rest = sum(2 * number for number in range(99 - len(rows)))
        assert f"… {99 - len(rows)} more" in text
        assert text.count(units.short(rest * MIB)) >= 1
        assert not other.query_one(LayerTable).region.area


async def test_a_chosen_category_tells_its_reason(other: VramtopApp) -> None:
    async with other.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN)
        await pilot.press("down", "down")
        await pilot.pause()
        part = other.query_one(TensorTable)
        words = part.draw(part.pick(other.state), 60, 12).plain
        assert "+4,096 B  all-reduce pads its buckets" in words
        assert "the worker does not tell its tensors" in words
        for _ in range(6):
            await pilot.press("down")
            await pilot.pause()
            assert not lesson_words(seen(other))


async def test_without_expectations_there_are_bytes_and_no_word_of_formulas(
    other: VramtopApp,
) -> None:
    plain = replace(PROGRAM, expected=())
    async with other.run_test(size=(120, 40)) as pilot:
        measured = replace(MEASURED, differences=())
        text = await painted(pilot, BEGUN[0], plain, *STEPS, measured)
        assert "formula" not in text
        assert row(text, "Parameters").split()[2:] == ["174.3", "57%", "174.3", "in", "load"]
        await pilot.press("down")
        await pilot.pause()
        assert "formula" not in seen(other)


@pytest.mark.parametrize("size", SIZES)
async def test_keys_for_the_lesson_say_calmly_whose_they_are(
    other: VramtopApp, script: Script, size: tuple[int, int]
) -> None:
    only = {key.keys.split(",")[0] for key in KEYS if key not in PROGRAM_KEYS}
    assert only == {
        "plus", "minus", "right_square_bracket", "left_square_bracket", "b", "m", "M", "F", "a",
        "o", "d", "w", "l", "v", "0", "R", "x", "i", "n", "C", "T", "space", "full_stop", "s", "c",
    }  # fmt: skip
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN)
        for name in sorted(only):
            other.receive(Note("a line"))
            await pilot.press(name)
            await pilot.pause()
            assert "this key is only for vramtop's own training" in seen(other), name
        assert script.sent == []
        assert len(other.screen_stack) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_help_and_palette_list_only_keys_for_any_program(
    other: VramtopApp, size: tuple[int, int]
) -> None:
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN)
        assert [command.title for command in other.get_system_commands(other.screen)] == [
            key.name for key in PROGRAM_KEYS
        ]
        await pilot.press("question_mark")
        await pilot.pause()
        text = other.screen.query_one(HelpText)
        lines = [line.plain for line in text._text(text.content_size.width)]
        for key in KEYS:
            entry = re.compile(rf"(^|  ){re.escape(key.shown)} +{re.escape(key.help.split()[0])}")
            listed = any(entry.search(line) for line in lines)
            assert listed == (key in PROGRAM_KEYS), key.shown


@pytest.mark.parametrize("size", SIZES)
async def test_every_other_key_works(other: VramtopApp, size: tuple[int, int]) -> None:
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN)
        before = other.theme
        for name, shown in (
            ("t", "theme"),
            ("p", "layout: memory"),
            ("p", "layout: charts"),
            ("p", "layout: everything"),
            ("r", "a second"),
            ("y", "steps/s"),
            ("y", "Parameters"),
            ("g", "asking NVML"),
            ("escape", "Parameters"),
            ("question_mark", "esc closes"),
        ):
            await pilot.press(name)
            await pilot.pause()
            assert shown in seen(other), name
        assert other.theme != before


@pytest.mark.parametrize("size", SIZES)
async def test_its_out_of_memory_is_news(other: VramtopApp, size: tuple[int, int]) -> None:
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN, OUT_OF_MEMORY)
        text = seen(other)
        assert "! out of memory · backward, mm wanted 200.0 MiB, 100.0 MiB free" in text
        assert not lesson_words(text)
        await begin(pilot, step(9), MEASURED)
        assert other.state.measured == MEASURED


@pytest.mark.parametrize("size", SIZES)
async def test_its_end_is_news_and_no_other_worker_is_offered(
    other: VramtopApp, script: Script, size: tuple[int, int]
) -> None:
    async with other.run_test(size=size) as pilot:
        await begin(pilot, *BEGUN, Ended(8))
        assert "done after 8 steps" in seen(other)
        await begin(pilot, WorkerGone(-15, ("Traceback",)))
        text = seen(other)
        assert "the worker is gone (SIGTERM): Traceback" in text
        assert "another" not in text
        assert script.restarts == 0
        assert not lesson_words(text)


async def test_panels_of_the_lesson_have_nothing_to_show(other: VramtopApp) -> None:
    async with other.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN)
        assert not other.query_one(VisitedTable).region.area
        assert other.query_one(TradeChart).pick(other.state) is None
        assert other.state.program == PROGRAM
