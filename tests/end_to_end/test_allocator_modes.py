"""PyTorch's CUDA allocator as the environment configures it, on a simulated GPU."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command import complaint, vramtop

if TYPE_CHECKING:
    from simulation import Environment

MIB = 2**20
WITHOUT_BOOKS = {
    "no cache": (
        {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
        "PYTORCH_NO_CUDA_MEMORY_CACHING is set, and PyTorch keeps no account of CUDA memory "
        "without its cache",
    ),
    "CUDA's own": (
        {"PYTORCH_ALLOC_CONF": "backend:cudaMallocAsync"},
        "the CUDA allocator is cudaMallocAsync, which does not tell what was asked of it",
    ),
}


@pytest.mark.parametrize("mode", WITHOUT_BOOKS)
def test_without_an_account_nothing_is_proved(machine: Environment, mode: str) -> None:
    variables, reason = WITHOUT_BOOKS[mode]
    line = complaint("fit", "--vram", "100MiB", "--device", "cuda:0", env=machine | variables)
    assert line == f"vramtop: nothing can be proved: {reason}\n"


@pytest.mark.parametrize("mode", WITHOUT_BOOKS)
def test_without_an_account_training_goes_on_with_the_ledgers_split(
    machine: Environment, mode: str
) -> None:
    variables, reason = WITHOUT_BOOKS[mode]
    arguments = "--headless --steps 5 --format jsonl --device cuda:0 --vram 100MiB"
    result = vramtop(*arguments.split(), env=machine | variables)
    assert (result.returncode, result.stderr) == (0, "")
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    notes = [message["text"] for message in messages if message["type"] == "note"]
    assert notes == [f"the allocator's figures are N/A: {reason}"]
    measured = [message for message in messages if message["type"] == "measured"]
    assert measured[-1]["allocator"] is None
    assert measured[-1]["anatomy"]["boundaries"]["forward"]["parameters"] == 407_080


def test_without_an_account_a_budget_is_what_the_step_asks_for(machine: Environment) -> None:
    variables, _ = WITHOUT_BOOKS["no cache"]
    arguments = "--headless --steps 5 --device cuda:0 --vram 6MB --batch-size 4096"
    result = vramtop(*arguments.split(), env=machine | variables)
    assert result.returncode == 1
    assert "batch 4,096 is out of memory in load: at least 12.7 MiB of 5.72 MiB" in result.stderr


@pytest.mark.parametrize(
    ("command", "variable", "value", "reason"),
    [
        (
            ("fit", "--vram", "100MiB"),
            "PYTORCH_ALLOC_CONF",
            "max_split_size_mb",
            "PYTORCH_ALLOC_CONF is key:value pairs with a comma between two, not "
            "'max_split_size_mb'",
        ),
        (
            ("--headless", "--steps", "2"),
            "PYTORCH_CUDA_ALLOC_CONF",
            "max_split_sise_mb:64",
            "PYTORCH_CUDA_ALLOC_CONF=max_split_sise_mb:64 is refused by PyTorch: Unrecognized key "
            "'max_split_sise_mb' in CUDA allocator config.",
        ),
    ],
)
def test_a_mistyped_configuration_is_refused_in_one_line(
    machine: Environment, command: tuple[str, ...], variable: str, value: str, reason: str
) -> None:
    line = complaint(*command, "--device", "cuda", env=machine | {variable: value})
    assert line == f"vramtop: {reason}\n"


@pytest.mark.parametrize("setting", ["roundup_power2_divisions:4", "max_split_size_mb:64"])
def test_another_configuration_is_proved_all_the_same(machine: Environment, setting: str) -> None:
    environment = machine | {"PYTORCH_ALLOC_CONF": setting}
    arguments = ("fit", "--vram", "100MiB", "--device", "cuda", "--format", "json")
    found = json.loads(vramtop(*arguments, env=environment).stdout)
    assert found["peak_at_max"] <= 100 * MIB < found["peak_beyond"]
    modelled = setting.startswith("roundup")
    assert found["unmodelled"] == ([] if modelled else ["max_split_size_mb"])
    if modelled:
        # Predicted to the size: every trial but the one beyond it fitted.
        assert found["oom_trials"] == 1
