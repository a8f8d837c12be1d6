"""Of a stack of frames, the line that counts is the innermost one of the program's own code."""

from __future__ import annotations

import functools
import json
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
from vramtop.observer import program
from vramtop.observer.program.lines import NOWHERE, Lines, shown

TORCH = f"{Path(torch.__file__).parent}/nn/modules/linear.py"
INSTALLED = f"{Path(torch.__file__).parents[1]}/timm/models/vit.py"
BESIDE_TORCH = f"{Path(torch.__file__).parents[1]}/torchvision/models/resnet.py"
LIBRARY = json.__file__
OURS = f"{Path(program.__file__).parent}/window.py"
OWN, OUTER = "/home/me/train.py", "/home/me/main.py"


def _line(*files: str) -> str | None:
    """The line of a stack with these files, the innermost first; its lines are 1, 2, 3 …"""
    lines = Lines()
    number = lines.of_frames(
        [{"filename": file, "line": place, "name": "f"} for place, file in enumerate(files, 1)]
    )
    return None if number == NOWHERE else lines.texts[number]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ([OWN, OUTER], "train.py:1"),
        ([TORCH, OWN, OUTER], "train.py:2"),
        ([INSTALLED, OWN, OUTER], "train.py:2"),
        ([OURS, TORCH, LIBRARY, OWN], "train.py:4"),
        ([TORCH, INSTALLED, BESIDE_TORCH, LIBRARY], "timm/models/vit.py:2"),
        ([TORCH, BESIDE_TORCH, INSTALLED], "torchvision/models/resnet.py:2"),
        (["<frozen runpy>", "", TORCH, LIBRARY, OURS], None),
        (["<ipython-input-3>"], "<ipython-input-3>:1"),
        ([], None),
    ],
)
def test_the_innermost_line_of_the_programs_own_counts(files: list[str], line: str | None) -> None:
    assert _line(*files) == line


def test_code_that_is_beside_a_package_of_a_like_name_is_the_programs_own() -> None:
    assert _line(f"{Path(OURS).parents[1]}_of_mine/train.py") == "train.py:1"
    library = sysconfig.get_paths()["stdlib"]
    assert _line(f"{library}_of_mine/train.py") == "train.py:1"


def test_a_line_has_one_number() -> None:
    lines = Lines()
    frames = [[{"filename": OWN, "line": line}] for line in (7, 9, 7)]
    assert [lines.of_frames(each) for each in frames] == [0, 1, 0]
    assert lines.add_text("train.py:7") == lines.add_text("train.py:7") == 2
    assert lines.texts == ["train.py:7", "train.py:9", "train.py:7"]


def test_the_line_that_runs_now_is_that_of_the_program_also_through_packages() -> None:
    lines = Lines()
    names: dict[str, object] = {"lines": lines}
    exec(compile("def of_a_package(_):\n    return lines.here()\n", INSTALLED, "exec"), names)
    at = sys._getframe().f_lineno
    here = lines.here()
    through_a_package = functools.reduce(lambda _, each: names["of_a_package"](each), [1], 0)  # type: ignore[operator]
    file = shown(__file__)
    assert [lines.texts[each] for each in (here, through_a_package)] == [
        f"{file}:{at + 1}",
        f"{file}:{at + 2}",
    ]


def test_files_are_shown_as_a_person_would_call_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/home/me"])
    assert shown("/home/me/nets/mlp.py") == "nets/mlp.py"
    assert shown("/home/you/train.py") == "train.py"
    assert shown("/venv/lib/python3.12/site-packages/timm/vit.py") == "timm/vit.py"
    assert shown("/usr/lib/python3/dist-packages/timm/vit.py") == "timm/vit.py"
    monkeypatch.setattr(sys, "path", [])
    assert shown("/home/me/nets/mlp.py") == "mlp.py"
