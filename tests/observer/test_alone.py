"""The observer runs where there is nothing but the standard library and torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OBSERVER = HERE.parents[1] / "observer"
WEIGHT, INPUTS, LOSS = 4 * 8 * 4, 4 * 2 * 8, 4  # bytes


def test_a_step_is_recorded_with_nothing_but_the_standard_library_and_torch() -> None:
    program = [sys.executable, str(HERE / "alone.py"), str(OBSERVER)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["held"] == {
        "parameters": WEIGHT,
        "gradients": WEIGHT,
        "optimizer_state": WEIGHT,
        "batch_data": INPUTS,
        "activations": LOSS,
    }
    storages, start, phases, operators, _ = report["log"]  # plain values, as JSON has them
    assert [[storages[storage][5], size] for storage, size in start] == [["weight", WEIGHT]]
    assert [phase for phase, _ in phases] == ["load", "forward", "backward", "optimizer"]
    assert {"batch", "aten.mm.default", "aten.sum.default"} < set(operators)
    assert "observed.reader" in report["modules"]
    assert not {"msgspec", "vramtop", "textual"}.intersection(report["modules"])
