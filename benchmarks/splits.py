"""What tools that split a program's memory say of its peak, and what they cost it.

    python benchmarks/splits.py [DEVICE] [ROUNDS] [SECONDS]

Each training of `split_programs.py` runs under PyTorch's MemTracker, the memory timeline of its
profiler and `vramtop run`, each in a process of its own, and plain beside it in the same round.
The truth is what the training counts itself. Wrong are the bytes of the peak that a tool puts into
another category or leaves out, and those that it adds. On a GPU a tool may round sizes as the
caching allocator does, or not. The others look at every step while they run; vramtop chooses some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, NotRequired, TypedDict

from split_programs import PROGRAMS

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
ROUNDS = int((sys.argv[2:3] or ["3"])[0])
SECONDS = float((sys.argv[3:4] or ["10"])[0])
PROGRAM = Path(__file__).with_name("split_run.py")
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
PROBE_STEPS = 20
RECORDED_STEPS = 3  # of the profiler, which keeps every event until it has ended


class Run(TypedDict):
    """What `split_run.py` prints; the truth has splits alone."""

    seconds: float
    reading: float
    splits: list[dict[str, int]]
    apart: NotRequired[int]  # bytes by which sums of lines and modules differ from the categories


class DoesNotRun(Exception):
    """The last line of what was said where a training did not run to its end."""


def run(tool: str, name: str, steps: int) -> Run:
    """One training under this tool. Raises `DoesNotRun`."""
    arguments = [str(PROGRAM), tool, name, DEVICE, str(steps)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, *arguments]
        if tool == "vramtop":
            options = ["--headless", "--format", "json", "--output", str(report)]
            arguments[1] = "plain"
            command = [VRAMTOP, "run", *options, "--", sys.executable, *arguments]
        done = subprocess.run(
            command,
            # Threads that wait for a core would hide what a tool costs.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise DoesNotRun((done.stderr or done.stdout).strip().splitlines()[-1])
        told: Run = json.loads(lines[-1])
        if tool == "vramtop":
            (watched_program,) = json.loads(report.read_text())
            told["splits"] = [watched_program["kinds"][0]["peak"]["split"]]
            told["apart"] = apart(watched_program)
    return told


def apart(program: dict[str, Any]) -> int:
    """Bytes by which the sums over lines, and over modules, differ from the categories."""
    high_water: dict[str, int] = program["kinds"][0]["high_water"]
    of_lines = {name: sum(each["split"][name] for each in program["lines"]) for name in high_water}
    of_modules = {
        name: sum(layer[name] for layer in program["layers"])
        for name in high_water
        if name in program["layers"][0]
    }
    return sum(
        abs(size - high_water[name])
        for sums in (of_lines, of_modules)
        for name, size in sums.items()
    )


def wrong(told: dict[str, int], truth: dict[str, int]) -> int:
    """Bytes that are not in the category in which they belong."""
    right = sum(min(size, told.get(category, 0)) for category, size in truth.items())
    return max(sum(told.values()), sum(truth.values())) - right


def compare(name: str, tools: list[str]) -> None:
    """Run a training under all tools, and print what they said and cost."""
    truth = run("counted", name, 0)["splits"]
    total = sum(truth[0].values())
    print(f"{name} on {DEVICE}: {total:,} B at the peak: {words(truth[0])}")
    seconds = run("plain", name, PROBE_STEPS)["seconds"]
    steps = max(PROBE_STEPS, int(SECONDS / seconds))
    ratios: dict[str, list[float]] = {tool: [] for tool in tools}
    last: dict[str, Run] = {}
    for _ in range(ROUNDS):
        plain = run("plain", name, steps)["seconds"]
        for tool in list(tools):
            try:
                last[tool] = run(tool, name, RECORDED_STEPS if tool == "profiler" else steps)
            except DoesNotRun as error:
                print(f"  {tool} does not run: {error}")
                tools.remove(tool)
                continue
            ratios[tool].append(last[tool]["seconds"] / plain)
    for tool in tools:
        cost = f"a step takes {median(ratios[tool]):.3f} × as long"
        if (reading := last[tool]["reading"]) > 0.1:
            cost += f", and {reading:.1f} s to read"
        for split in last[tool]["splits"]:
            bytes_wrong = min(wrong(split, each) for each in truth)
            print(f"  {tool}: {bytes_wrong:,} B wrong ({bytes_wrong / total:.1%}); {cost}")
            print(f"    {words(split)}")
        if "apart" in last[tool]:
            print(f"    lines and modules add up to the categories but for {last[tool]['apart']} B")


def words(split: dict[str, int]) -> str:
    """A split in a line, the largest first."""
    ordered = sorted(split.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {size:,}" for name, size in ordered if size)


if __name__ == "__main__":
    for each in PROGRAMS:
        compare(each, ["memtracker", "profiler", "vramtop"])
