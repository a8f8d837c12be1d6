"""PyTorch's private names stand in one module, so that a new version changes that one only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [ROOT / "observer" / name for name in ("private.py", "private_cuda.py")]
_PRIVATE = re.compile(r"_(?!_)\w+")
_PYTHONS = ("_replace", "_exit", "_getframe", "_current_frames", "_thread")  # documented by Python
_OURS = ("_vramtop_observer",)  # the name under which a program has the observer


def private(name: str) -> bool:
    """Whether a dotted name has a part with one leading underscore."""
    return name not in _PYTHONS and any(_PRIVATE.fullmatch(part) for part in name.split("."))


def private_names(source: str) -> Iterator[str]:
    """Private names of other modules: imported, as attributes, or as strings.

    Attributes of `self` and `cls` are the module's own and do not count.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            yield from filter(private, (f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from filter(private, (alias.name for alias in node.names))
        elif isinstance(node, ast.Attribute) and private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _PRIVATE.fullmatch(node.value)
            and node.value not in _OURS
        ):
            yield node.value


@pytest.mark.parametrize(
    "source",
    [
        "import torch._C",
        "from torch import _C",
        "from torch.utils._pytree import tree_map",
        "from torch.cuda.memory import _snapshot",
        "storage._cdata",
        "torch._C.anything",
        "setattr(optimizer, '_health_check', None)",
    ],
)
def test_a_private_name_is_found_in_any_form(source: str) -> None:
    assert list(private_names(source))


@pytest.mark.parametrize(
    "source", ["self._own = torch.__version__", "from .private import schema", "'under_score'"]
)
def test_public_names_and_a_modules_own_private_ones_do_not_count(source: str) -> None:
    assert not list(private_names(source))


def test_pytorchs_private_names_stand_in_two_modules_of_the_observer() -> None:
    known = {name for module in MODULES for name in private_names(module.read_text())}
    assert known > {"_cdata", "torch._ops.OpOverload", "_snapshot"}
    modules = [*(ROOT / "observer").rglob("*.py"), *(ROOT / "trainer").rglob("*.py")]
    found = {
        f"{module.relative_to(ROOT)}: {name}"
        for module in modules
        if module not in MODULES
        for name in private_names(module.read_text())
    }
    assert not found
