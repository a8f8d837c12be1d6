"""How the environment configures PyTorch's CUDA allocator."""

from __future__ import annotations

import pytest
from vramtop.protocol.lesson.settings import SettingError
from vramtop.trainer.device.alloc_conf import check, divisions, unmodelled

KNOWN = "roundup_power2_divisions:[256:1,512:2,>:4], pinned_num_register_threads:2"


@pytest.mark.parametrize(
    "value", ["", KNOWN, "max_split_size_mb:512", "backend:native,expandable_segments:True"]
)
def test_values_that_pytorch_accepts_pass(value: str) -> None:
    check({"PYTORCH_ALLOC_CONF": value})


@pytest.mark.parametrize(
    "value", ["max_split_size_mb", "max_split_size_mb=512", "::", "a:1,,b:2", "a:[1:2"]
)
def test_values_that_abort_pytorch_at_import_are_refused_in_one_line(value: str) -> None:
    with pytest.raises(SettingError) as error:
        check({"PYTORCH_CUDA_ALLOC_CONF": value})
    assert str(error.value) == (
        f"PYTORCH_CUDA_ALLOC_CONF is key:value pairs with a comma between two, not {value!r}"
    )


def test_settings_that_the_simulated_allocator_does_not_model_are_named() -> None:
    value = (
        f"expandable_segments:False,max_split_size_mb:64,{KNOWN},garbage_collection_threshold:0.8"
    )
    assert unmodelled({"PYTORCH_ALLOC_CONF": value, "PYTORCH_CUDA_ALLOC_CONF": "foo:1"}) == (
        "max_split_size_mb",
        "garbage_collection_threshold",
    )
    assert unmodelled({"PYTORCH_ALLOC_CONF": KNOWN}) == ()


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("8", (8,)),
        ("1", ()),
        # As PyTorch reads it back, by torch.cuda.memory._snapshot()["allocator_settings"].
        ("[256:1,512:2,>:4]", (1,) * 9 + (2,) + (4,) * 6),
        ("[>:2]", (2,) * 16),
    ],
)
def test_divisions_are_those_that_pytorch_reads(value: str, parts: tuple[int, ...]) -> None:
    assert divisions({"PYTORCH_ALLOC_CONF": f"roundup_power2_divisions:{value}"}) == parts
