"""Snapshots of a training: written to a shelf from time to time, and read from it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import torch
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Kept, Shelf
from vramtop.trainer.training.training import Progress, Snapshot

SHARE = 0.005  # the share of time spent on snapshots
LEAST_SECONDS = 5.0  # between two snapshots


class CannotKeep(Exception):
    """A snapshot cannot be written or read; the text is one line."""


class Keeper:
    """Puts a training's snapshots on its shelf; without a shelf none is kept.

    Snapshots take at most `SHARE` of the time and come at most once in `LEAST_SECONDS`.
    """

    def __init__(self, shelf: Shelf | None) -> None:
        self._shelf = shelf
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time for the next snapshot."""
        return self._shelf is not None and time.monotonic() >= self._next

    def keep(self, take: Callable[[], Snapshot]) -> None:
        """Take a snapshot and put it on the shelf.

        Raises `CannotKeep`. After a failed write no snapshot is due any more.
        """
        if self._shelf is None:
            raise CannotKeep("there is no place for a snapshot")
        began = time.monotonic()
        snapshot = take()
        progress = snapshot.progress
        kept = Kept(snapshot.settings, progress.steps, progress.images)
        try:
            self._shelf.put(kept, lambda file: torch.save(_plain(snapshot), file))
        except (OSError, RuntimeError) as error:
            self._next = float("inf")
            reason = str(error).partition("\n")[0]
            raise CannotKeep(f"no snapshot can be kept: {reason}") from error
        ended = time.monotonic()
        self._next = ended + max(LEAST_SECONDS, (ended - began) / SHARE)

    def latest(self) -> Snapshot:
        """The latest snapshot on the shelf. Raises `CannotKeep` where there is none."""
        kept = self._shelf.latest() if self._shelf else None
        if self._shelf is None or kept is None:
            raise CannotKeep("there is no snapshot to go on from")
        with self._shelf.open(kept) as file:
            plain = torch.load(file, map_location="cpu", weights_only=True)
        settings = msgspec.convert(plain.pop("settings"), Settings)
        progress = msgspec.convert(plain.pop("progress"), Progress)
        return Snapshot(settings=settings, progress=progress, **plain)


def _plain(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as tensors and plain values, which can be read without any class."""
    return {
        **vars(snapshot),
        "settings": msgspec.to_builtins(snapshot.settings),
        "progress": msgspec.to_builtins(snapshot.progress),
    }
