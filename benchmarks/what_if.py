"""What is predicted of changes to a training, beside the trainings with these changes made.

    python benchmarks/what_if.py [TRAINING …]

They run on a simulated GPU (tests/simgpu), whose allocator is PyTorch's own. The error is how many
bytes more were predicted than the changed training had: none where a row is exact, and never fewer.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "simgpu"), str(TESTS / "programs")]

from build import build  # noqa: E402
from predicted import predictions  # noqa: E402
from simulation import SimulatedGpu  # noqa: E402


def main(trainings: list[str]) -> None:
    """A line for each row of each training."""
    print(f"{'bytes':52}{'before':>14}{'predicted':>14}{'measured':>14}{'error':>12}  bound")
    with tempfile.TemporaryDirectory() as folder:
        simgpu = SimulatedGpu(build(Path(folder, "libraries")), Path(folder))
        machine = simgpu.environment(devices=1)
        names = simgpu.run_torch("import changes; print(*changes.TRAININGS, sep='\\n')", machine)
        for training in trainings or names.splitlines():
            print(training)
            for each in predictions(simgpu, machine, training):
                sizes = f"{each.before:14,}{each.predicted:14,}{each.measured:14,}{each.error:12,}"
                print(f"  {each.row.what:50}{sizes}  {each.row.bound}", flush=True)
        simgpu.close()


if __name__ == "__main__":
    main(sys.argv[1:])
