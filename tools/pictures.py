"""Draw the screens from the saved sessions: `python tools/pictures.py`.

They go to docs/screens/, for the README and for the tests, which fold the same messages and see
whether the screens still look so.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Literal, Union
from unittest.mock import patch

import msgspec
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import VERSION, Flow, Hello, Note
from vramtop.protocol.wire.framing import FromWorker, ToWorker
from vramtop.tui.app.config import Config
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.gpus.cards import CardsReport
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.worker.link import Link

DOCS = Path(__file__).parent.parent / "docs"
SCREENS = DOCS / "screens"
SIZES = ((80, 24), (120, 40), (200, 60))
PANES = ((120, 12), (80, 10), (80, 6))  # as of tmux
LOOKS = ("dark", "light", "no-color", "ascii")
Said = Union[FromWorker, CardsReport]


class Scene(msgspec.Struct, frozen=True):
    """A screen: how large, how it looks, and which keys are pressed once the messages are heard.

    They are those of a `session` up to the pause, or where it is `held`, all of them.
    """

    name: str
    size: tuple[int, int]
    look: str = "dark"
    keys: tuple[str, ...] = ()
    held: bool = False
    session: Literal["cpu", "gpu"] = "cpu"

    def of(self, messages: list[Said]) -> list[Said]:
        """Those of the session's messages that it hears."""
        if self.held:
            return messages
        return list(takewhile(lambda m: not (isinstance(m, Flow) and m.paused), messages))


def scenes() -> Iterator[Scene]:
    """All that are drawn."""
    for width, height in SIZES:
        for look in LOOKS:
            yield Scene(f"main-{width}x{height}-{look}", (width, height), look)
    for width, height in SIZES:
        yield Scene(f"gpu-{width}x{height}", (width, height), session="gpu")
    for width, height in PANES:
        yield Scene(f"main-{width}x{height}-dark", (width, height))
    yield Scene("gpus-120x40", (120, 40), keys=("g",), session="gpu")
    for name, keys in (
        ("help", ("question_mark",)),
        ("tensors", ("down", "down", "down")),
        ("moment", ("escape", "left", "left", "left")),
        ("trends", ("y",)),
    ):
        for width, height in SIZES[:2]:
            size, held = (width, height), name == "moment"
            yield Scene(f"{name}-{width}x{height}", size, "dark", keys, held)


class Cards(msgspec.Struct):
    """A line with what NVML said; every other line is a message of the worker."""

    cards: CardsReport


class CannotReadError(Exception):
    """A recorded session is not one of this protocol; the text is one line."""


def session(name: str, folder: Path = DOCS) -> list[Said]:
    """What the worker and NVML said. Raises `CannotReadError`."""
    file = folder / f"session-{name}.jsonl"
    tool = f"record it anew with: python tools/session.py{' cuda:0' if name == 'gpu' else ''}"
    messages = msgspec.json.Decoder(FromWorker)
    said: list[Said] = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.startswith('{"cards"'):
            said.append(msgspec.json.decode(line, type=Cards).cards)
            continue
        try:
            message = messages.decode(line)
        except msgspec.DecodeError as error:
            raise CannotReadError(f"{file}, line {number}: {error}; {tool}") from None
        if isinstance(message, Hello) and message.version != VERSION:
            told = f"speaks protocol {message.version}, not {VERSION}"
            raise CannotReadError(f"{file}, line {number}: it {told}; {tool}")
        said.append(message)
    if not any(isinstance(message, Hello) for message in said):
        raise CannotReadError(f"{file} has no hello, which tells its protocol; {tool}")
    return said


class Silent:
    """A worker that has said all it had to say."""

    async def messages(self) -> AsyncIterator[FromWorker]:
        """Nothing more."""
        await asyncio.Event().wait()
        yield Note("")  # never reached; it makes this a generator

    def send(self, command: ToWorker) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        """It has ended."""


async def draw(scene: Scene, messages: list[Said]) -> str:
    """The scene as SVG."""

    async def start() -> Link:
        return Silent()

    wanted = {"NO_COLOR": "1"} if scene.look == "no-color" else {}
    kept = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    with patch.dict(os.environ, kept | wanted, clear=True):
        terminal = Terminal(characters="ascii" if scene.look == "ascii" else "unicode")
        app = VramtopApp(Settings(), start, terminal=terminal, config=Config())
        app.theme = "light" if scene.look == "light" else "dark"
        async with app.run_test(size=scene.size) as pilot:
            await pilot.pause()
            for message in scene.of(messages):
                app.receive(message)
            app.paint()
            await pilot.press(*scene.keys)
            await pilot.pause()
            svg = app.export_screenshot(title="vramtop", simplify=True)
    # Fonts from the network are no business of a picture; the reader's own monospace will do.
    return drawn_by() + re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def drawn_by() -> str:
    """What draws the parts that are not ours; another version may draw them otherwise."""
    return f"<!-- Textual {version('textual')}, Rich {version('rich')} -->\n"


async def main() -> None:
    """Draw all scenes."""
    SCREENS.mkdir(exist_ok=True)
    sessions = {name: session(name) for name in ("cpu", "gpu")}
    for scene in scenes():
        picture = await draw(scene, sessions[scene.session])
        (SCREENS / f"{scene.name}.svg").write_text(picture)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CannotReadError as error:
        sys.exit(f"pictures: {error}")
