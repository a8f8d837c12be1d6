"""The completion scripts for shells, which shtab makes from the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

# The words that complete an option whose value is not checked by argparse's own choices.
_WORDS = {
    "device": ("auto", "cpu", "mps", "cuda"),
    "headless_format": ("table", "jsonl"),
    "command_format": ("table", "json", "csv"),
    "program_format": ("table", "json", "jsonl"),
    "diff_format": ("table", "json"),
    "gpus_format": ("table", "json"),
}
_FOLDERS = ("data_dir",)
_FILES = ("output", "words", "before", "after")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes `vramtop` in bash, zsh or fish."""
    for action in _actions(parser):
        if words := _WORDS.get(action.dest):
            action.choices = words
        if action.dest in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        if action.dest in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    # Without -A, zsh completes an option after a command as the option of the same name before the
    # command, which may have other words.
    whole = "_arguments -C -s $_shtab_vramtop_options"
    return str(shtab.complete(parser, shell)).replace(whole, whole.replace("-s", "-s -A '-*'"))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options of the parser and of its commands' parsers."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
