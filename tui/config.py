"""What the monitor remembers of how one wants to see it, in a small file of JSON.

It lies where the platform has such files; `XDG_CONFIG_HOME` moves it.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import msgspec

from .choices import Choices, checked


class CannotKeep(Exception):
    """The choices cannot be read or kept; the text is one line."""


class Config:
    """The file, or that there is none: then nothing is read and nothing kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def read(self) -> tuple[Choices, str | None]:
        """The choices that were kept, and what is wrong with the file, in one line.

        What cannot be used is as if it had never been chosen.
        """
        try:
            choices, wrong = checked(self._kept())
        except CannotKeep as error:
            return Choices(), str(error)
        return choices, f"{self._path}: {wrong}" if wrong else None

    def keep(self, **choice: str | int) -> None:
        """Put one choice into the file, beside the others there, those of other monitors too.

        Raises `CannotKeep`.
        """
        if self._path is None:
            return
        try:
            others, _ = self.read()
            content = msgspec.json.encode(msgspec.structs.replace(others, **choice))
            self._write(msgspec.json.format(content) + b"\n")
        except OSError as error:
            raise CannotKeep(f"cannot keep the choice: {_told(error)}") from None

    def _kept(self) -> dict[str, Any]:
        try:
            content = self._path.read_bytes() if self._path else b"{}"
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CannotKeep(f"cannot read the choices kept: {_told(error)}") from None
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise CannotKeep(f"{self._path} is not a JSON object, and is not used") from None

    def _write(self, content: bytes) -> None:
        """Replace the file at once: nobody ever reads half of it."""
        assert self._path is not None
        path = self._path.resolve()  # a link stays one
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = mkstemp(prefix=f".{path.name}-", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"


def usual() -> Config:
    """The file of this user."""
    from platformdirs import user_config_path

    return Config(user_config_path("vramtop", appauthor=False) / "config.json")
