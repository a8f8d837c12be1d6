"""Programs of frameworks: their split is what they count themselves, to the byte."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from forked import assert_as_counted

FRAMEWORKS = {
    "accelerate": "frameworks.accelerated",
    "lightning": "frameworks.lightning_fit",
    "transformers": "frameworks.transformers_trainer",
    "ipykernel": "frameworks.jupyter",
}


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_program_of_a_framework_is_split_as_it_counts_itself(
    observe, framework: str, device: str
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    assert_as_counted(observe(FRAMEWORKS[framework], device), device)
