"""Where something was allocated: the module that ran, and the line of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import Module


def kinds_of(modules: Sequence[Module]) -> dict[str, str]:
    """The class of each module, by its path."""
    return {module.path: module.kind for module in modules}


def origin(module: str, line: str, kinds: Mapping[str, str]) -> str:
    """`transformer.h.3.mlp, train.py:88`; a path that is only a number has its class before it."""
    named = f"{kinds.get(module, '')} {module}".strip() if module.isdigit() else module
    return ", ".join(filter(None, (named, line)))
