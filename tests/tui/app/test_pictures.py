"""The saved screens: whoever changes how the monitor looks sees it here, and in the README.

Drawn by `tools/pictures.py` from the messages of real sessions.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from vramtop.protocol.messages import VERSION

TOOL = Path(__file__).parents[3] / "tools" / "pictures.py"
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


def test_a_session_of_another_protocol_is_refused_in_one_line(tmp_path: Path) -> None:
    saved = (pictures.DOCS / "session-cpu.jsonl").read_text()
    now, old = f'"hello","version":{VERSION},', f'"hello","version":{VERSION - 1},'
    assert now in saved
    (tmp_path / "session-cpu.jsonl").write_text(saved.replace(now, old))
    told = (
        rf"line \d+: it speaks protocol {VERSION - 1}, not {VERSION}; record it anew with: python"
    )
    with pytest.raises(pictures.CannotReadError, match=told):
        pictures.session("cpu", tmp_path)
    (tmp_path / "session-cpu.jsonl").write_text('{"type":"note","text":"a note"}\n')
    with pytest.raises(pictures.CannotReadError, match="no hello"):
        pictures.session("cpu", tmp_path)
    (tmp_path / "session-cpu.jsonl").write_text('{"type":"news","text":"a note"}\n')
    with pytest.raises(pictures.CannotReadError, match="line 1: Invalid value 'news'"):
        pictures.session("cpu", tmp_path)


@pytest.mark.parametrize("name", SESSIONS)
def test_nothing_in_a_session_is_of_an_older_protocol(name: str) -> None:
    """What these messages do not know would be passed over in silence."""
    lines = (pictures.DOCS / f"session-{name}.jsonl").read_text().splitlines()
    for line, said in zip(lines, SESSIONS[name], strict=True):
        raw = json.loads(line)
        _is_part(raw.get("cards", raw), msgspec.to_builtins(said))


def _is_part(old: object, new: object) -> None:
    """All that the one says, the other says too; it may say more."""
    if isinstance(old, dict):
        assert isinstance(new, dict)
        for key, value in old.items():
            assert key in new, f"there is no {key} any more"
            _is_part(value, new[key])
    elif isinstance(old, list):
        assert isinstance(new, (list, tuple))
        for one, other in zip(old, new, strict=True):
            _is_part(one, other)
    else:
        assert old == new
