"""The saved screens: whoever changes how the monitor looks sees it here, and in the README.

Drawn by `tools/pictures.py` from the messages of real sessions.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "pictures.py"
_spec = importlib.util.spec_from_file_location("pictures", TOOL)
assert _spec is not None
assert _spec.loader is not None
pictures = sys.modules["pictures"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pictures)

SESSIONS = {name: pictures.session(name) for name in ("cpu", "gpu")}
SCENES = {scene.name: scene for scene in pictures.scenes()}


@pytest.mark.parametrize("name", SCENES)
async def test_the_saved_session_looks_as_it_did(name: str, tmp_path: Path) -> None:
    saved = (pictures.SCREENS / f"{name}.svg").read_text()
    if not saved.startswith(pictures.drawn_by()):
        pytest.skip(f"drawn by another Textual than {version('textual')}")
    now = await pictures.draw(SCENES[name], SESSIONS[SCENES[name].session])
    (tmp_path / f"{name}.svg").write_text(now)
    assert now == saved, f"compare {tmp_path / name}.svg with the saved one"


def test_no_screen_is_saved_that_nobody_draws() -> None:
    assert {path.stem for path in pictures.SCREENS.glob("*.svg")} == set(SCENES)
