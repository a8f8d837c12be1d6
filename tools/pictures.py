"""Copy the README's pictures from those that the tests save: `python tools/pictures.py`.

They go to docs/screens/. The tests draw them from the recorded sessions in docs/.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCREENS = ROOT / "docs" / "screens"
SAVED = ROOT / "tests" / "tui" / "app" / "__snapshots__" / "test_pictures"
TEST = "test_the_screen_looks_as_in_its_picture"


def of_readme(name: str) -> str:
    """The saved picture of this name, as SVG without the fonts that would come from the network."""
    svg = (SAVED / f"{TEST}[{name}].svg").read_text()
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    for path in SCREENS.glob("*.svg"):
        path.write_text(of_readme(path.stem))
