"""Programs of frameworks: their split is what they count themselves, to the byte."""

from __future__ import annotations

import pytest
from observed import assert_as_counted

FRAMEWORKS = {
    "accelerate": "frameworks.accelerated",
    "ipykernel": "frameworks.jupyter",
    "lightning": "frameworks.lightning_fit",
    "transformers": "frameworks.transformers_trainer",
}


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_program_of_a_framework_is_split_as_it_counts_itself(
    observe, framework: str, device: str
) -> None:
    assert_as_counted(observe(FRAMEWORKS[framework], device), device)
