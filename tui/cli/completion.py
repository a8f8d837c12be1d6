"""What a shell needs to complete the command line, made by shtab from its grammar."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

# What may stand after an option that is checked by a function of ours instead of by argparse.
_WORDS = {
    "device": ("auto", "cpu", "mps", "cuda"),
    "headless_format": ("table", "jsonl"),
    "command_format": ("table", "json", "csv"),
}
_FOLDERS = ("data_dir",)


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion of `vramtop` for bash, zsh or fish, as a script that the shell reads."""
    for action in _actions(parser):
        if words := _WORDS.get(action.dest):
            action.choices = words
        if action.dest in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    # In zsh, the options after a command would be looked up before it first, where one of the same
    # name may have other words.
    whole = "_arguments -C -s $_shtab_vramtop_options"
    return str(shtab.complete(parser, shell)).replace(whole, whole.replace("-s", "-s -A '-*'"))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options of the command line and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
