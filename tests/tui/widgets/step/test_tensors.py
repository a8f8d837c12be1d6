"""What stands beside a chosen category: its meaning, all reasons, its largest tensors."""

from __future__ import annotations

import pytest
from made import DATA, HELLO, P, configured, measured, sample
from msgspec.structs import replace
from screens import Screen, screen
from vramtop.protocol.lesson.messages import LessonMeasured
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import AllocatorMemory, Category, Reading, Split, TensorFacts, Tensors
from vramtop.trainer.session.expectations import differences, expectations
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.step.tensor_lines import tensor_lines
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.words import units

FLOATS = "float32"
FORWARD = ("forward", "backward")
BATCH = Tensors(
    (
        TensorFacts(200_704, "inputs", "batch", (64, 1, 28, 28), FLOATS, "load"),
        TensorFacts(512, "targets", "batch", (64,), "int64", "load"),
    )
)
ACTIVATIONS = Tensors(
    (
        TensorFacts(32_768, "", "aten.relu.default", (64, 128), FLOATS, *FORWARD),
        TensorFacts(2_560, "", "aten.addmm.default", (64, 10), FLOATS, "forward"),
        TensorFacts(2_560, "", "aten._log_softmax.default", (64, 10), FLOATS, *FORWARD),
        TensorFacts(4, "", "aten.nll_loss_forward.default", (), FLOATS, "forward"),
        TensorFacts(4, "", "aten.nll_loss_forward.default", (), FLOATS, *FORWARD),
    )
)
MOMENTS = Tensors(
    tuple(
        TensorFacts(size, f"{kind} of {name}", "", shape, FLOATS)
        for name, shape, size in (
            ("1.weight", (128, 784), 401_408),
            ("3.weight", (10, 128), 5_120),
            ("1.bias", (128,), 512),
            ("3.bias", (10,), 40),
        )
        for kind in ("exp_avg", "exp_avg_sq")
    ),
    others=4,
    others_bytes=16,
)
TENSORS: dict[Category, Tensors] = {
    "parameters": Tensors((TensorFacts(P, "flat", "", (101_770,), FLOATS),)),
    "gradients": Tensors(),
    "optimizer_state": MOMENTS,
    "batch_data": BATCH,
    "activations": ACTIVATIONS,
    "temporaries": Tensors((TensorFacts(P, "", "aten.div.Tensor", (101_770,), FLOATS),)),
}


def listed(**values: object) -> LessonMeasured:
    return replace(measured(), tensors=TENSORS, **values)


BEGUN = (HELLO, configured(), sample(), listed())


async def choose(seen: Screen, category: Category) -> None:
    seen.app.choose(category)
    await seen.pilot.pause()


def shown(seen: Screen) -> list[str]:
    """The lines of the list, without air."""
    table = seen.app.query_one(TensorTable).region
    lines = [line[table.x : table.right] for line in seen.lines[table.y : table.bottom]]
    return [line.rstrip() for line in lines if line.strip()]


def words(lines: list[str]) -> list[str]:
    """The same lines with single spaces."""
    return [" ".join(line.split()) for line in lines]


async def test_batch_data_is_its_inputs_and_targets_which_the_formula_leaves_out() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await choose(seen, "batch_data")
        title, meaning, reason, *table = shown(seen)
        assert " ".join(title.split()) == "░ Batch data 196.5 KiB high water, 9% of all"
        assert meaning == "the images of one batch and their targets"
        assert reason == "+512 B  targets are int64: 8 B an image"
        assert words(table) == [
            "at high water, in load shape type KiB",
            "inputs 64×1×28×28 float32 196.0",
            "targets 64 int64 0.5",
        ]


async def test_activations_are_named_by_the_operators_that_made_them() -> None:
    async with screen(80, 24, *BEGUN) as seen:
        await choose(seen, "activations")
        _, _, reason, head, *table = shown(seen)
        assert reason == "+5,128 B  logits and log-softmax: 80 B an image, loss: 8 B"
        assert head.split()[-4:] == ["shape", "type", "alive", "B"]
        assert words(table) == [
            "output of relu 64×128 float32 forward → backward 32,768",
            "output of addmm 64×10 float32 forward → after 2,560",
            "output of _log_softmax 64×10 float32 forward → backward 2,560",
            "output of nll_loss_forward scalar float32 forward → after 4",
            "output of nll_loss_forward scalar float32 forward → backward 4",
        ]


async def test_where_it_is_equal_the_formula_has_its_tick() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await choose(seen, "parameters")
        assert "✓ 4 × 101,770, to the byte" in shown(seen)
        ticks = {style.color.name for style in seen.styles("✓") if style.color}
        assert ticks == {DARK.good}


async def test_what_cannot_be_explained_is_trouble() -> None:
    high = Split(P + 1, P, 2 * P + 16, 3144 * 64, 592 * 64 + 8, P)
    settings = Settings()
    one_more = listed(
        anatomy=replace(measured().anatomy, high_water=high),
        differences=differences(settings, expectations(settings, DATA.shape), high),
    )
    async with screen(120, 40, HELLO, configured(), sample(), one_more) as seen:
        await choose(seen, "parameters")
        assert "+1 B  unexplained" in shown(seen)
        colors = {style.color.name for style in seen.styles("+1 B  unexplained") if style.color}
        assert colors == {DARK.trouble}


async def test_temporaries_have_no_formula() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await choose(seen, "temporaries")
        assert "the formula leaves them out" in shown(seen)
        assert any(line.startswith("output of div") for line in shown(seen))


async def test_a_category_that_never_was_has_no_tensors() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await choose(seen, "gradients")
        assert shown(seen)[-1] == "none at any moment of the step"


async def test_a_worker_that_tells_no_tensors_is_not_taken_for_one_without() -> None:
    async with screen(120, 40, HELLO, configured(), sample(), measured()) as seen:
        await choose(seen, "gradients")
        assert shown(seen)[-1] == "the worker does not tell its tensors"


async def test_what_has_no_room_is_summed_up() -> None:
    async with screen(80, 24, *BEGUN) as seen:
        await choose(seen, "optimizer_state")
        *_, fifth, rest = shown(seen)
        assert fifth.startswith("exp_avg of 1.bias")
        # One of 512 bytes, two of 40, and 16 in the four that came summed up.
        assert rest == "… and 7 more, 608 B"
    async with screen(200, 60, *BEGUN) as seen:
        await choose(seen, "optimizer_state")
        assert shown(seen)[-1] == "… and 4 more, 16 B"


async def test_while_the_rows_show_another_moment_the_list_says_it_is_of_the_high_water() -> None:
    note = "the rows show one moment, the list the high water"
    held = sample(704, phase="load", split=Split(parameters=P))
    async with screen(120, 40, *BEGUN) as seen:
        await choose(seen, "batch_data")
        assert note not in seen.text
        await seen.hear(Flow(paused=True, slow=False), held)
        assert note in shown(seen)
        assert any(line.startswith("inputs") for line in shown(seen))
        await seen.hear(Flow(paused=False, slow=False))
        assert note not in seen.text
        await seen.pilot.press("right")
        await seen.pilot.pause()
        assert note in shown(seen)


async def test_the_allocators_workspace_and_rounding_stand_below() -> None:
    memory = AllocatorMemory(
        {"zero_grad": Reading(1000, 1536)}, 2**28, workspace=2**26, workspace_each=2**25
    )
    async with screen(120, 40, HELLO, configured(), sample(), listed(allocator=memory)) as seen:
        await choose(seen, "batch_data")
        assert shown(seen)[-2:] == [
            "workspace 64.0 MiB: cuBLAS keeps 32.0 MiB a handle",
            "rounding 536 B: tensors fill whole blocks of 512 B",
        ]


@pytest.mark.parametrize("category", TENSORS)
async def test_nothing_is_drawn_beyond_the_room(category: Category) -> None:
    memory = AllocatorMemory({"zero_grad": Reading(1000, 1536)}, 2**28, workspace=2**26)
    begun = (HELLO, configured(), sample(), listed(allocator=memory))
    async with screen(120, 40, *begun) as seen:
        await choose(seen, category)
        table = seen.app.query_one(TensorTable)
        for height in range(1, 20):
            for width in (52, 58, 66, 98):
                lines = table.draw(table.pick(seen.app.state), width, height).split("\n")
                assert len(lines) <= height
                assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize("room", range(2, 12))
def test_list_and_rest_always_add_up(room: int) -> None:
    lines = [line.plain for line in tensor_lines(MOMENTS, "title", 60, room, DARK)]
    assert len(lines) == min(room, 10)
    _, *tensors, rest = lines
    count = MOMENTS.others + len(MOMENTS.largest) - len(tensors)
    size = 16 + sum(facts.bytes for facts in MOMENTS.largest[len(tensors) :])
    assert rest == f"… and {count} more, {units.size(size)}"


@pytest.mark.parametrize("width", [40, 52, 58, 78, 96])
def test_columns_end_where_the_room_ends(width: int) -> None:
    for tensors in (BATCH, ACTIVATIONS, MOMENTS):
        head, *lines = tensor_lines(tensors, "at high water, in forward", width, 20, DARK)
        rows = lines[: len(tensors.largest)]
        assert {line.cell_len for line in (head, *rows)} == {width}


def test_a_buffer_that_only_the_allocator_saw_is_its_operators() -> None:
    buffer = TensorFacts(65_540, operator="aten.sum.dim_IntList", born="backward", gone="backward")
    _, line = tensor_lines(Tensors((buffer,)), "title", 80, 9, DARK)
    assert words([line.plain]) == ["in-kernel buffer of sum backward → backward 65,540"]


def test_a_view_and_what_was_there_before_are_called_so() -> None:
    older = TensorFacts(40, shape=(10,), dtype=FLOATS)
    view = TensorFacts(3_200, "inputs", "batch", (4, 8), FLOATS, "load", view=True)
    _, *lines = tensor_lines(Tensors((view, older)), "title", 80, 9, DARK)
    assert [line.plain.partition("   ")[0] for line in lines] == [
        "inputs (a view)",
        "from before the step",
    ]


def test_a_few_bytes_in_a_column_of_kibibytes_are_not_none() -> None:
    *_, bias = tensor_lines(replace(MOMENTS, others=0), "title", 80, 9, DARK)
    assert bias.plain.endswith("<0.1")
