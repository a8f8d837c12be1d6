"""The command lines of `run`, `attach` and `diff` as one value, and what is wrong in them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from vramtop.protocol.lesson.settings import SettingError

Form = Literal["table", "json", "jsonl"]
_FORMS: tuple[Form, ...] = ("table", "json", "jsonl")
COMMANDS = ("run", "attach", "diff")
_TAKEN = {
    "run": {"command", "headless", "output", "program_format", "words"},
    "attach": {"command", "headless", "output", "program_format", "program_steps", "pid"},
    "diff": {"command", "diff_format", "fail_above", "before", "after"},
}


class ProgramOptions(msgspec.Struct, frozen=True):
    """What is asked for: to run `words`, to attach to `pid`, to list what can be attached to, or to
    compare `files`.

    `output` is a file, and `form` that of the results in there, or else on stdout. `fail_above` is
    the share by which a peak may grow, None where nothing is checked.
    """

    way: Literal["run", "attach", "list", "diff"]
    words: tuple[str, ...] = ()
    pid: int | None = None
    headless: bool = False
    steps: int | None = None
    output: str | None = None
    form: Form = "table"
    files: tuple[str, str] | None = None
    fail_above: float | None = None


def split(
    arguments: Sequence[str], parser: argparse.ArgumentParser, run: argparse.ArgumentParser
) -> tuple[Sequence[str], tuple[str, ...]]:
    """What is ours on the command line, and the command that is to be run.

    That begins with the first word behind `run` and its options, and is not ours to read.
    """
    at = _first_word(arguments, parser, 0)
    if at == len(arguments) or arguments[at] != "run":
        return arguments, ()
    start = _first_word(arguments, run, at + 1)
    words = arguments[start:]
    return arguments[:start], tuple(words[1:] if words[:1] == ["--"] else words)


def _first_word(arguments: Sequence[str], parser: argparse.ArgumentParser, at: int) -> int:
    """The place of the first that is neither an option nor its value, from this place on."""
    options = parser._option_string_actions
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "--":
        action = options.get(arguments[at])
        at += 1 if action is None or action.nargs == 0 else 2
    return min(at, len(arguments))


def program_options(given: dict[str, Any], words: tuple[str, ...]) -> ProgramOptions:
    """The options of `run`, `attach` or `diff`; raises `SettingError`."""
    command, pid = given["command"], given.get("pid")
    if given.keys() - _TAKEN[command]:
        raise SettingError(f"{command} trains nothing itself: it goes with its own options alone")
    if command == "diff":
        return _diff(given)
    if command == "run" and not words:
        raise SettingError("run needs a command: vramtop run python train.py")
    output, steps = given.get("output"), given.get("program_steps")
    form = given.get("program_format", "json" if output is not None else "table")
    if form not in _FORMS:
        raise SettingError(f"format is table, json or jsonl, not {form!r}")
    way = command
    if command == "attach" and pid is None:
        way = "list"
        if output is not None or steps is not None or form == "jsonl":
            raise SettingError("attach without a pid lists programs, as a table or --format json")
    if command == "run" and output is None and form != "table":
        raise SettingError(f"stdout is the program's own: --format {form} needs --output FILE")
    return ProgramOptions(
        way=way,
        words=words,
        pid=pid,
        headless="headless" in given,
        steps=steps,
        output=output,
        form=form,
    )


def _diff(given: dict[str, Any]) -> ProgramOptions:
    form = given.get("diff_format", "table")
    if form not in ("table", "json"):
        raise SettingError(f"format is table or json, not {form!r}")
    files = given["before"], given["after"]
    return ProgramOptions(way="diff", form=form, files=files, fail_above=given.get("fail_above"))
