"""Whether vramtop sees what grows in a training, and who holds it: ten that leak in ten ways.

    python benchmarks/growing.py [DEVICE] [SECONDS] [TRAINING ...]

Each training of `leaks.py` runs for so long under `vramtop run`. A row says by how many bytes a
step it grows, by the line that makes them, and by the name of the holder. Right is a name with the
word that `leaks.py` has for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from leaks import LEAKS

DEVICE = (sys.argv[1:2] or ["cuda:0"])[0]
SECONDS = (sys.argv[2:3] or ["30"])[0]  # asking who holds it takes some of the 1 % of the time
NAMES = sys.argv[3:] or list(LEAKS)
PROGRAM = Path(__file__).with_name("leaks.py")
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))


def watched(name: str) -> dict[str, Any]:
    """What `--output` says of this training."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run(
            [
                *(VRAMTOP, "run", "--headless", "--output", str(report), "--"),
                *(sys.executable, str(PROGRAM), name, DEVICE, SECONDS),
            ],
            check=True,
            capture_output=True,
        )
        (program,) = json.loads(report.read_text())
    return dict(program)


def main() -> None:
    """Print a row for each, and how many were named."""
    seen = named = 0
    for name in NAMES:
        _, word = LEAKS[name]
        growth = watched(name)["growth"]
        if growth is None:
            print(f"{name:13} nothing grows", flush=True)
            continue
        seen += 1
        each = (growth["bytes"] - growth["before"]) / (growth["until"] - growth["since"])
        held = [group["what"] for group in growth["held"]]
        lines = sorted({group["line"] for group in growth["kept"]} - {""})
        right = any(word in what for what in held)
        named += right
        print(
            f"{name:13} {'right' if right else 'WRONG'}  {each:>9,.0f} B a step of "
            f"{growth['category'] or 'memory'}, made at {', '.join(lines) or 'no known line'}, "
            f"held by {', '.join(held) or 'nobody known'}",
            flush=True,
        )
    print(f"of {len(NAMES)} that leak {seen} were seen, and the holder of {named} was named")


if __name__ == "__main__":
    main()
