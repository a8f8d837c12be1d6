"""The choices of theme, layout and refresh rate that the monitor keeps in a small JSON file.

`platformdirs` says where the file lies.
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
    """The file of choices. Without a `path` nothing is read and nothing is kept.

    `missing` is the reason, in one line, why there is no path although there should be one.
    """

    def __init__(self, path: Path | None = None, missing: str | None = None) -> None:
        self._path = path
        self._missing = missing
        self._refused = False

    def read(self) -> tuple[Choices, str | None]:
        """Read the choices. The second value says in one line what is wrong with the file, if any.

        A choice that cannot be used counts as not made.
        """
        if self._missing is not None:
            return Choices(), self._missing
        try:
            choices, wrong = checked(self._kept())
        except CannotKeep as error:
            return Choices(), str(error)
        return choices, f"{self._path}: {wrong}" if wrong else None

    def keep(self, **choice: str | int) -> None:
        """Write one choice into the file. The other choices there stay as they are.

        Raises `CannotKeep` at the first call that cannot write the file. Later calls do nothing,
        since they would fail in the same way.
        """
        if self._path is None or self._refused:
            return
        try:
            others, _ = self.read()
            content = msgspec.json.encode(msgspec.structs.replace(others, **choice))
            self._write(msgspec.json.format(content) + b"\n")
        except OSError as error:
            self._refused = True
            raise CannotKeep(f"cannot keep the choice: {_reason(error)}") from None

    def _kept(self) -> dict[str, Any]:
        try:
            content = self._path.read_bytes() if self._path else b"{}"
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CannotKeep(f"cannot read the choices kept: {_reason(error)}") from None
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise CannotKeep(f"{self._path} is not a JSON object, and is not used") from None

    def _write(self, content: bytes) -> None:
        """Replace the file in one step, so that no other monitor reads half of it."""
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


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"


def usual() -> Config:
    """The user's own file, or none where no home directory is known."""
    from platformdirs import user_config_path

    try:
        folder = user_config_path("vramtop", appauthor=False)
    except RuntimeError:
        return Config(missing="no home directory is known here: choices are not kept")
    return Config(folder / "config.json")
