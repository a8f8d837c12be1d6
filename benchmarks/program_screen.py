"""What the screen costs on a program: a transformer of 48 layers, and each list of what is inside.

    python benchmarks/program_screen.py [DEVICE]

`vramtop run` shows the training behind a pseudo-terminal. The share of a core is the monitor's own,
which computes the reports of watched steps too; what watching costs the program stands on its
screen, by the observer's own measurement. The figures count only where steps went on.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from screen import PYTHON, SIZES, VRAMTOP, Screen, Size

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
PROGRAM = str(Path(__file__).with_name("trainings.py"))
TRAINING = ("deep", DEVICE, str(10**9), "0")
WARM_SECONDS, STEADY_SECONDS = 15, 20
# What each list begins with, and the key that leads to it from the one before.
LISTS = {"modules +.*params": "", "modules, depth": "[", "lines +.*activ": "m", "shapes seen": "m"}
NARROW = 100  # columns; with fewer a key opens the list


def watched(size: Size) -> None:
    """The monitor's cost with each list, and what the observer says that watching costs."""
    with tempfile.TemporaryDirectory() as folder:
        times = str(Path(folder) / "times")
        screen = Screen(VRAMTOP, ["run", "--", PYTHON, PROGRAM, *TRAINING, times], size)
        try:
            screen.until(r"Parameters +\S+ +\d+%")
            screen.run(WARM_SECONDS)
            if size[0] < NARROW:
                screen.child.send("m")
            for title, key in LISTS.items():
                screen.child.send(key)
                screen.until(title)
                name = title.partition(" +")[0]
                before = screen.steps()
                cost = screen.cost(STEADY_SECONDS)
                screen.run(2)
                steps = screen.steps() - before
                if steps <= 0:
                    sys.exit(f"no steps went on, on this screen:\n{screen.text()}")
                said = re.search(r"watching +(\S+( of \S+ s| ?%)?)", screen.text())
                print(f"{name}: {cost}; {steps} steps; watching {said[1] if said else 'N/A'}")
        finally:
            screen.child.send("qqq")
            screen.close()


if __name__ == "__main__":
    for terminal in SIZES:
        print("{} by {}, {}".format(*terminal, DEVICE))
        watched(terminal)
