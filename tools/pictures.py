"""Copy the README's pictures from those that the tests save: `python tools/pictures.py`.

They go to docs/screens/. The tests draw them from the recorded sessions in docs/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Union

import msgspec
from vramtop.protocol.gpus import CardsReport
from vramtop.protocol.messages import VERSION, Hello
from vramtop.protocol.wire.framing import FromWorker

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SCREENS = DOCS / "screens"
SAVED = ROOT / "tests" / "tui" / "app" / "__snapshots__" / "test_pictures"
TEST = "test_the_screen_looks_as_in_its_picture"
Said = Union[FromWorker, CardsReport]


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


def of_readme(name: str) -> str:
    """The saved picture of this name, as SVG without the fonts that would come from the network."""
    svg = (SAVED / f"{TEST}[{name}].svg").read_text()
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    for path in SCREENS.glob("*.svg"):
        path.write_text(of_readme(path.stem))
