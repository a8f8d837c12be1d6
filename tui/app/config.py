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
    """The file, or that there is none: then nothing is read and nothing kept.

    `missing` is why there is none, where there should be one.
    """

    def __init__(self, path: Path | None = None, missing: str | None = None) -> None:
        self._path = path
        self._missing = missing
        self._refused = False

    def read(self) -> tuple[Choices, str | None]:
        """The choices that were kept, and what is wrong with the file, in one line.

        What cannot be used is as if it had never been chosen.
        """
        if self._missing is not None:
            return Choices(), self._missing
        try:
            choices, wrong = checked(self._kept())
        except CannotKeep as error:
            return Choices(), str(error)
        return choices, f"{self._path}: {wrong}" if wrong else None

    def keep(self, **choice: str | int) -> None:
        """Put one choice into the file, beside the others there, those of other monitors too.

        Raises `CannotKeep`, and where the file cannot be written, that once: it will be so again.
        """
        if self._path is None or self._refused:
            return
        try:
            others, _ = self.read()
            content = msgspec.json.encode(msgspec.structs.replace(others, **choice))
            self._write(msgspec.json.format(content) + b"\n")
        except OSError as error:
            self._refused = True
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
    """The file of this user; there is none where no home directory is known."""
    from platformdirs import user_config_path

    try:
        folder = user_config_path("vramtop", appauthor=False)
    except RuntimeError:
        folder = Path()
    # Older versions of platformdirs leave the ~ of an unknown home in place.
    if not folder.is_absolute():
        return Config(missing="no home directory is known here: choices are not kept")
    return Config(folder / "config.json")
