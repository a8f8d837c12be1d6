"""PyTorch's CUDA allocator as the environment configures it, on a simulated GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from command import complaint, vramtop
from driver import MIB, training
from vramtop.protocol.lesson.commands import FindLargest
from vramtop.protocol.lesson.messages import LessonMeasured, LessonOutOfMemory
from vramtop.protocol.messages import Answer, Note

if TYPE_CHECKING:
    from simulation import Environment

P = 407_080
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
async def test_without_an_account_training_goes_on_with_the_ledgers_split_and_nothing_is_proved(
    run_on: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    variables, reason = WITHOUT_BOOKS[mode]
    run_on(total=4 * 2**30, devices=1)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with training(budget=100 * MIB) as driver:
        note = await driver.until(Note)
        measured = await driver.until(LessonMeasured, lambda measured: measured.settled)
        driver.link.send(FindLargest(77))
        refused = await driver.until(Answer, lambda answer: answer.command == 77)
        # A budget is what the step asks for.
        driver.change(batch_size=4096, budget=6_000_000)
        short = await driver.until(LessonOutOfMemory)
    assert note.text == f"the allocator's figures are N/A: {reason}"
    assert measured.allocator is None
    assert measured.anatomy.boundaries["forward"].parameters == P
    assert refused.error == f"nothing can be proved: {reason}"
    assert (short.phase, short.limit, short.restored) == ("load", 6_000_000, 64)
    assert short.needed is not None
    # Parameters and Adam's moments are there; the batch, or what is left of the epoch, would come
    # beside them.
    images, rest = divmod(short.needed - 3 * P, 3_136 + 8)
    assert (rest, images <= 4096) == (0, True)
    assert short.needed > 6_000_000


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
