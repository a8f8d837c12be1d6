"""What keeps more after each step is seen within seconds, and its holder named, by the observer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulation import SimulatedGpu

PROGRAM = Path(__file__).with_name("gpu_leaks.py")
OUTPUT, BATCH, LOSS = 64 * 10 * 4, 64 * 784 * 4, 4
HIDDEN = 64 * 128 * 4
# By how many bytes a step each grows, and who holds them.
GROWS = {
    "losses": (LOSS, "history in leaks.py"),
    "evaluation": (OUTPUT, "evaluated in leaks.py"),
    "hook": (HIDDEN, "hooked in leaks.py"),
    "exception": (BATCH + OUTPUT, "the traceback of ValueError in errors in leaks.py"),
    "closure": (BATCH, "kept in the closure of closure() of leaks.py"),
    "cache": (OUTPUT, "cache in leaks.py"),
    "running mean": (BATCH + HIDDEN + OUTPUT, "the graph of mean in leaks.py"),
    "callback": (OUTPUT, "outputs of Callback in leaks.py"),
    "logger": (LOSS, "records in leaks.py"),
    "dataset": (BATCH, "dataset in leaks.py"),
}


@pytest.fixture(scope="module")
def told(simgpu: SimulatedGpu) -> dict[str, Any]:
    """What is told of each training."""
    found: dict[str, Any] = json.loads(simgpu.run_file(PROGRAM, simgpu.environment(devices=1)))
    return found


@pytest.mark.parametrize("name", GROWS)
def test_what_grows_is_told_by_its_rate_and_holder_after_one_watched_step(
    told: dict[str, Any], name: str
) -> None:
    each, holder = GROWS[name]
    growth = told[name]
    assert growth["watched"] <= 3  # seldom more than one: levels tell that it grows
    assert growth["each"] == each
    assert [re.sub(r"\[\d+\]", "", held) for held in growth["held"]] == [holder]
