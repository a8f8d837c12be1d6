"""The files that keys save: named after the time, and never over another file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.app import App
from vramtop.protocol.split import CATEGORIES
from vramtop.tui.state.lesson.visits import Visit, Visits


class CannotSave(Exception):
    """No folder takes the files; the text is one line."""


def save(contents: Mapping[str, str], now: datetime) -> str:
    """Write a file for each suffix, in the current folder or else in another that can be written.

    Returns their names, and their folder unless it is the current one. Raises `CannotSave`.
    """
    reason = "there is no folder"
    for folder in _folders():
        try:
            stem = _write(folder, contents, f"vramtop-{now:%Y%m%d-%H%M%S}")
        except OSError as error:
            reason = f"{folder}: {error.strerror}"
            continue
        first, *others = contents
        names = " and ".join([f"{stem}{first}", *others])
        return names if folder == _here() else f"{names} in {folder}"
    raise CannotSave(f"cannot save: {reason}")


def _folders() -> Iterator[Path]:
    if here := _here():
        yield here
    with suppress(RuntimeError):
        yield Path.home()
    with suppress(OSError):
        yield Path(tempfile.gettempdir())


def _here() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return None


def _write(folder: Path, contents: Mapping[str, str], stem: str) -> str:
    """Write all of them under one name that no file has yet."""
    for number in count(1):
        name = stem if number == 1 else f"{stem}-{number}"
        if any((folder / f"{name}{suffix}").exists() for suffix in contents):
            continue
        for suffix, text in contents.items():
            with (folder / f"{name}{suffix}").open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        return name
    raise AssertionError("numbers do not end")


def screenshot(app: App[Any]) -> dict[str, str]:
    """What is on the screen, as `.svg` and as `.txt`."""
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    # Textual's `export_screenshot` does the same, but has no text.
    console.print(
        app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    )
    picture = console.export_svg(title=app.title, clear=False)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    return {".svg": picture, ".txt": "\n".join(lines) + "\n"}


def table(visits: Visits) -> str:
    """The batch sizes that were tried, as CSV: a header with units, then a line for each size.

    Numbers are plain; a figure that is not known is empty.
    """
    text = io.StringIO()
    rows = [_row(visit) for visit in visits if not visit.predicted]
    writer = csv.DictWriter(text, list(_row(Visit(1))))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(visit: Visit) -> dict[str, object]:
    high_water, learned, fair = visit.high_water, visit.learned, visit.fair
    return {
        "batch_size_images": visit.batch_size,
        "accumulation_batches": visit.accumulation,
        "out_of_memory": str(visit.out_of_memory).lower(),
        "peak_bytes": visit.peak,
        **{
            f"{category}_high_water_bytes": high_water and getattr(high_water, category)
            for category in CATEGORIES
        },
        "formula_bytes": visit.formula,
        "limit_bytes": visit.limit,
        "step_seconds": visit.step_seconds,
        "samples_per_second": visit.samples_per_second,
        "images_before_losses": learned and learned.start,
        "test_loss_before": learned and learned.before,
        "test_loss_after": learned and learned.after,
        "images_between_losses": learned and learned.images,
        "fair_test_loss_before": fair and fair.before,
        "fair_test_loss_after": fair and fair.after,
        "fair_images_between_losses": fair and fair.images,
    }
