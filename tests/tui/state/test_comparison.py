from __future__ import annotations

import msgspec
import pytest
from made import configured, measured
from vramtop.protocol.split import CATEGORIES, AllocatorMemory, Category, Reading
from vramtop.tui.state.comparison import UNEXPLAINED, beside, compare


def test_each_difference_is_explained_to_the_byte() -> None:
    lines = {line.category: line for line in compare(configured(), measured())}
    assert [line.difference for line in lines.values()] == [0, 0, 16, 512, 5128, None]
    assert lines["parameters"].reasons == ()
    counters = "Adam counts its steps: 4 B for each of 4 tensors"
    assert lines["optimizer_state"].reasons[:2] == (counters, "Adam's four step counters")
    assert lines["batch_data"].reasons[0] == "targets are int64: 8 B an image"
    whole = "logits and log-softmax: 80 B an image, loss: 8 B"
    assert lines["activations"].reasons == (whole, "logits, log-softmax, loss", "logits…")
    assert lines["temporaries"].reasons == ("in optimizer",)


def test_the_allocator_says_what_it_holds_beside_the_categories() -> None:
    mib, end = 2**20, Reading(requested=1000, allocated=1536)
    memory = AllocatorMemory({"zero_grad": end}, 2**28, workspace=64 * mib)
    rounding = "rounding 536 B: tensors fill whole blocks of 512 B"
    assert beside(memory) == ("workspace 64.0 MiB: kept by operators", rounding)
    alike = msgspec.structs.replace(memory, workspace_each=32 * mib)
    assert beside(alike)[0] == "workspace 64.0 MiB: cuBLAS keeps 32.0 MiB a handle"


def test_an_allocator_that_tells_less_has_less_beside_the_categories() -> None:
    assert beside(AllocatorMemory({"zero_grad": Reading(None, 1536)}, 2**28)) == ()


def test_the_formula_is_written_with_its_numbers() -> None:
    lines = compare(configured(), measured())
    written = ["4 × 101,770", "4 × 101,770", "8 × 101,770", "3,136 × 64", "512 × 64", "–"]
    assert [line.written for line in lines] == written


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("off", [-1, 1, 8, 4096])
@pytest.mark.parametrize("category", [name for name in CATEGORIES if name != "temporaries"])
def test_what_is_off_by_any_other_number_of_bytes_is_not_explained(
    category: Category, off: int, accumulation: int
) -> None:
    seen = measured()
    right = getattr(seen.anatomy.high_water, category)
    high = msgspec.structs.replace(seen.anatomy.high_water, **{category: right + off})
    anatomy = msgspec.structs.replace(seen.anatomy, high_water=high)
    lines = {
        line.category: line
        for line in compare(
            configured(accumulation=accumulation), msgspec.structs.replace(seen, anatomy=anatomy)
        )
    }
    assert lines[category].reasons == UNEXPLAINED
    assert lines[category].difference == right + off - lines[category].formula
