"""Results for other programs: as JSON, or as CSV with one line for each row."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args, get_origin

import msgspec
from vramtop.protocol.split import PHASES
from vramtop.tui.terminal.output import write


def print_results(content: object, as_csv: str, form: str) -> None:
    """Print the content as JSON, or else `as_csv`. Raises `CannotWrite`."""
    as_json = f"{msgspec.json.format(msgspec.json.encode(content)).decode()}\n"
    with contextlib.suppress(BrokenPipeError):
        write(as_json if form == "json" else as_csv)


def csv_text(columns: Sequence[str], lines: Iterable[Mapping[str, object]]) -> str:
    """A header and the lines; a value that is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def columns_of(kind: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """The names of all plain values in such a struct; nested names are joined by dots."""
    names = []
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name
        inner = [part for part in (field.type, *get_args(field.type)) if _is_struct(part)]
        if not inner:
            names.append(name)
        elif get_origin(field.type) is dict:
            names += [
                column for phase in PHASES for column in columns_of(inner[0], f"{name}.{phase}.")
            ]
        else:
            names += columns_of(inner[0], f"{name}.")
    return names


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """The values by the names of their columns; None is left out."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            found[prefix + name] = str(value).lower()
        elif isinstance(value, (list, tuple)):
            found[prefix + name] = " ".join(map(str, value))
        elif value is not None:
            found[prefix + name] = value
    return found
