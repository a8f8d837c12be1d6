"""How the monitor looks, for a person to judge, on the messages of real sessions.

A picture that differs from the saved one fails its test, and `snapshot_report.html` shows the two
side by side. Accept new looks with `pytest tests/tui/app/test_pictures.py --snapshot-update`, then
run `python tools/pictures.py` for the README's copies.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import pytest
from driver_sums import PROCESS
from msgspec.structs import replace
from recorded_program import ENTRIES, MESSAGES, Running, program_session
from screens import Silent
from server import PAST, SERVER, UNKNOWN
from shapes_seen import SEEN
from textual.pilot import Pilot
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Flow
from vramtop.protocol.wire.recording import Reader
from vramtop.tui.app.config import Config
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.app.program_app import ProgramApp
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.worker.link import DriverSaid, Modules, Received

ROOT = Path(__file__).parents[3]


def tool(name: str) -> Any:
    """A module of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pictures = tool("pictures")
DOCS = ROOT / "docs"
RECORDINGS = {name: Reader(DOCS / f"session-{name}.jsonl") for name in ("cpu", "gpu")}
SESSIONS = {name: list(recording) for name, recording in RECORDINGS.items()}


INSIDE = next(each for each in reversed(MESSAGES) if isinstance(each, Modules))
# As if the program let each block's attention be computed again in backward.
RECOMPUTED = replace(
    INSIDE,
    layers=tuple(replace(layer, recomputed=".attention" in layer.name) for layer in INSIDE.layers),
)

Look = Literal["dark", "light", "no-color", "ascii"]


class Scene(msgspec.Struct, frozen=True):
    """A screen of `size` columns and lines, and the keys pressed after the session's messages.

    The messages are all of them, or with `until_pause` those before the first pause; in the
    program's session `more` follow.
    """

    name: str
    size: tuple[int, int]
    look: Look = "dark"
    keys: tuple[str, ...] = ()
    until_pause: bool = True
    session: Literal["cpu", "gpu", "program", "server"] = "cpu"
    more: tuple[Received, ...] = ()

    @property
    def app(self) -> VramtopApp | GpuApp:
        terminal = Terminal(characters="ascii" if self.look == "ascii" else "unicode")
        if self.session == "server":
            return GpuApp(terminal=terminal)
        if self.session == "program":
            return ProgramApp(Running(), terminal=terminal)
        return VramtopApp(Settings(), Silent().start, terminal=terminal, config=Config())

    @property
    def messages(self) -> list[Any]:
        if self.session == "program":
            return [*program_session.shown(ENTRIES), *self.more]
        if self.session == "server":
            return [SERVER]
        said = [envelope.message for envelope in SESSIONS[self.session]]
        if not self.until_pause:
            return said
        return list(takewhile(lambda m: not (isinstance(m, Flow) and m.paused), said))


SCENES = (
    *(
        Scene(f"main-{width}x{height}-dark", (width, height))
        for width, height in ((80, 6), (80, 10), (80, 24), (120, 12), (120, 40), (200, 60))
    ),
    Scene("main-120x40-light", (120, 40), "light"),
    Scene("main-120x40-no-color", (120, 40), "no-color"),
    Scene("main-80x24-ascii", (80, 24), "ascii"),
    Scene("gpu-120x40", (120, 40), session="gpu"),
    Scene("gpus-120x40", (120, 40), keys=("g",), session="gpu"),
    Scene("help-120x40", (120, 40), keys=("question_mark",)),
    Scene("tensors-120x40", (120, 40), keys=("down", "down", "down")),
    Scene("moment-120x40", (120, 40), keys=("escape", *["left"] * 3), until_pause=False),
    Scene("trends-120x40", (120, 40), keys=("y",)),
    *(
        Scene(f"program-{width}x{height}", (width, height), session="program")
        for width, height in ((80, 12), (80, 24), (120, 40), (200, 60))
    ),
    Scene("program-120x40-light", (120, 40), "light", session="program"),
    Scene("program-80x24-ascii", (80, 24), "ascii", session="program"),
    Scene("program-lines-120x40", (120, 40), keys=("m",), session="program"),
    Scene("program-depth-80x24", (80, 24), keys=("left_square_bracket",) * 3, session="program"),
    Scene("program-tensors-120x40", (120, 40), keys=("up", "up", "up"), session="program"),
    Scene("program-recomputed-120x40", (120, 40), session="program", more=(RECOMPUTED,)),
    Scene("program-shapes-200x60", (200, 60), session="program", more=(SEEN,)),
    Scene("program-shapes-120x50", (120, 50), session="program", more=(SEEN,)),
    *(
        Scene(f"program-{what}-{size[0]}x{size[1]}-{look}", size, look, keys, session="program")
        for what, size, look, keys in (
            ("modules", (80, 24), "no-color", ("m",)),
            ("modules", (80, 24), "ascii", ("m",)),
            ("lines", (120, 40), "light", ("m",)),
            ("lines", (120, 40), "no-color", ("m",)),
            ("lines", (80, 24), "ascii", ("m", "m")),
        )
    ),
    *(
        Scene(f"program-by-shape-{name}", size, look, keys, session="program", more=(SEEN,))
        for name, size, look, keys in (
            ("80x12", (80, 12), "dark", ("m",) * 3),
            ("80x24-ascii", (80, 24), "ascii", ("m",) * 3),
            ("120x40", (120, 40), "dark", ("m",) * 2),
            ("120x40-light", (120, 40), "light", ("m",) * 2),
            ("120x40-no-color", (120, 40), "no-color", ("m",) * 2),
        )
    ),
    Scene(
        "program-help-120x40",
        (120, 40),
        keys=("question_mark",),
        session="program",
        more=(DriverSaid(PROCESS),),
    ),
    Scene("program-moment-120x40", (120, 40), keys=("right",) * 9, session="program"),
    *(
        Scene(f"server-{width}x{height}-{look}", (width, height), look, session="server")
        for width, height in ((80, 12), (80, 24), (120, 40), (200, 60))
        for look in get_args(Look)
    ),
    Scene("server-tree-120x40", (120, 40), keys=("t", "tab", "down"), session="server"),
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_screen_looks_as_in_its_picture(
    scene: Scene, snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if scene.look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")

    async def hear(pilot: Pilot[int]) -> None:
        for message in scene.messages:
            app.receive(message)
        # The monitor's own clock adds nothing to a past that is later than its present.
        past = PAST if scene.session == "server" else UNKNOWN
        app.state = msgspec.structs.replace(app.state, gpu_history=past)
        app.paint()
        await pilot.pause()

    app = scene.app
    app.theme = "light" if scene.look == "light" else "dark"
    assert snap_compare(app, press=scene.keys, terminal_size=scene.size, run_before=hear)


def test_no_picture_is_saved_of_a_scene_that_is_gone() -> None:
    names = {path.stem for path in pictures.SAVED.glob("*.svg")}
    assert names == {f"{pictures.TEST}[{scene.name}]" for scene in SCENES}


def test_the_readme_shows_the_pictures_as_they_are_saved() -> None:
    shown = set(re.findall(r"docs/screens/([\w-]+)\.svg", (ROOT / "README.md").read_text()))
    assert {path.stem for path in pictures.SCREENS.glob("*.svg")} == shown
    for name in shown:
        assert (pictures.SCREENS / f"{name}.svg").read_text() == pictures.of_readme(name)


@pytest.mark.parametrize("name", SESSIONS)
def test_nothing_in_a_session_is_of_an_older_protocol(name: str) -> None:
    """Reading it would not tell: fields that a message no longer has are ignored."""
    assert RECORDINGS[name].cut_off is None
    _, *lines = (DOCS / f"session-{name}.jsonl").read_text().splitlines()
    for line, envelope in zip(lines, SESSIONS[name], strict=True):
        _is_part(json.loads(line), msgspec.to_builtins(envelope))


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
