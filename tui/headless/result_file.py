"""A file that a result is written to again and again, and that has all of it at any time."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path


class ResultFile:
    """Each writing takes the place of the one before as a whole, also where we are killed.

    That cannot be where the file is none of a disk's, as /dev/stdout, or its folder takes no new
    ones: `replaceable` tells. Then only the last writing is wanted.
    """

    def __init__(self, path: str) -> None:
        """Raises `OSError` where the file cannot be written."""
        self._stream = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (until `close`)
        self._path = Path(path).resolve()
        self._regular = stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
        self.replaceable = self._regular and os.access(self._path.parent, os.W_OK)
        if self.replaceable:
            self._stream.close()

    def write(self, text: str) -> None:
        """Write this instead of what was there. Raises `OSError`."""
        if self.replaceable:
            self._replace(text)
            return
        if self._regular:
            self._stream.truncate(0)
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        """Nothing more is written. Never raises."""
        with suppress(OSError):
            self._stream.close()

    def _replace(self, text: str) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            new.write_text(text, encoding="utf-8")
            with suppress(OSError):
                shutil.copymode(self._path, new)
            new.replace(self._path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
