"""How many rows of a batch are said to fit into a GPU, beside the batch that really fits.

    python benchmarks/room.py [MIB,MIB,…] [TRAINING …]

The trainings of `room_programs.py` run on a simulated GPU (tests/simgpu), whose allocator is
PyTorch's own, and of which each can have so many MiB. `vramtop run` sees batches of one size, and
then of two. What fits is found by bisection, each try in a process of its own. `holds` says whether
the number that was named fits. An error is how many rows too many were named.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("room_programs.py")
sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "simgpu")]

from build import build  # noqa: E402
from simulation import CONTEXT, DRIVER_RESERVED, MIB, Environment, SimulatedGpu  # noqa: E402

SECONDS = "8"  # with each size, so that some steps with it are watched
FEW, MORE = 24, 32  # rows
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))


class Fitting:
    """Which numbers of rows of a training fit; each is tried once."""

    def __init__(self, simgpu: SimulatedGpu, capacity: int, name: str) -> None:
        self._simgpu, self._capacity, self._name = simgpu, capacity, name
        self._tried: dict[int, bool] = {}

    def __call__(self, rows: int) -> bool:
        """Whether so many fit."""
        if rows not in self._tried:
            machine = machine_with(self._simgpu, self._capacity)
            call = f"room_programs.fits({self._name!r}, {rows})"
            found = self._simgpu.run_torch(f"import room_programs; print({call})", machine)
            self._tried[rows] = found.strip() == "True"
        return self._tried[rows]

    def most(self, near: int) -> int:
        """The most rows that fit, looked for from `near` on."""
        low = high = near
        step = max(1, near // 64)
        while self(high):
            low, high, step = high, high + step, 2 * step
        while low and not self(low):
            low, high, step = max(0, low - step), low, 2 * step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self(middle) else (low, middle)
        return low


def machine_with(simgpu: SimulatedGpu, capacity: int) -> Environment:
    """A fresh machine with a GPU of which a process's allocator can have so many bytes."""
    return simgpu.environment(devices=1, total=capacity + CONTEXT + DRIVER_RESERVED)


def estimate(machine: Environment, name: str, *rows: int) -> dict[str, Any] | None:
    """What `--output` says of the room after batches with so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run(
            [
                *(VRAMTOP, "run", "--headless", "--format", "json", "--output", str(report), "--"),
                *(sys.executable, str(PROGRAM), name, SECONDS, *map(str, rows)),
            ],
            env=machine,
            check=True,
            capture_output=True,
        )
        (program,) = json.loads(report.read_text())
    found: dict[str, Any] | None = program["room"]
    return found


def main(capacities: list[int], names: list[str]) -> None:
    """A line for each training, size of the memory and way to estimate."""
    print(f"{'':28}{'MiB':>6}  {'by':11}{'predicted':>10}{'fits':>10}{'error':>8}         holds")
    with tempfile.TemporaryDirectory() as folder:
        simgpu = SimulatedGpu(build(Path(folder, "libraries")), Path(folder))
        listed = "import room_programs; print(*room_programs.PROGRAMS, sep='\\n')"
        sys.path.append(str(PROGRAM.parent))
        programs = simgpu.run_torch(listed, simgpu.environment()).splitlines()
        for capacity in capacities:
            for name in names or programs:
                fitting = Fitting(simgpu, capacity * MIB, name)
                for rows in ((FEW,), (FEW, MORE)):
                    found = estimate(machine_with(simgpu, capacity * MIB), name, *rows)
                    if found is None:
                        print(f"{name:28}{capacity:6}  nothing is said", flush=True)
                        continue
                    predicted = found["most_rows"]
                    real = fitting.most(predicted)
                    error, holds = predicted - real, "yes" if fitting(predicted) else "NO"
                    figures = f"{predicted:10,}{real:10,}{error:+8,} {error / real:+7.2%}"
                    print(f"{name:28}{capacity:6}  {found['by']:11}{figures}  {holds}", flush=True)
        simgpu.close()


if __name__ == "__main__":
    sizes = (sys.argv[1:2] or ["256,1024,4096"])[0]
    main([int(each) for each in sizes.split(",")], sys.argv[2:])
