"""What the first frame does not wait for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from textual.css import stylesheet
from textual.css.model import RuleSet
from textual.dom import DOMNode
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.lines import KeyLine


async def test_the_styles_are_parsed_once(app: VramtopApp, monkeypatch: pytest.MonkeyPatch) -> None:
    parse, parsed = stylesheet.parse, list[str]()

    def counting(scope: str, css: str, read_from: tuple[str, str], **rest) -> Iterator[RuleSet]:
        parsed.append(read_from[0])
        return parse(scope, css, read_from, **rest)

    monkeypatch.setattr(stylesheet, "parse", counting)
    async with app.run_test(size=(120, 40)):
        pass
    assert sum(path.endswith("app.tcss") for path in parsed) == 1


async def test_a_part_is_styled_when_it_is_there_and_when_its_screen_is_first_shown(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, styled = stylesheet.Stylesheet.apply, list[DOMNode]()

    def counting(self: stylesheet.Stylesheet, node: DOMNode, **rest) -> None:
        styled.append(node)
        apply(self, node, **rest)

    monkeypatch.setattr(stylesheet.Stylesheet, "apply", counting)
    async with app.run_test(size=(120, 40)):
        pass
    assert sum(isinstance(node, KeyLine) for node in styled) == 2


def test_nvml_is_not_imported_before_it() -> None:
    code = (
        "import sys, vramtop.tui.app.monitor; "
        "print({'vramtop.tui.gpus.nvml', 'pynvml', 'psutil'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


async def test_the_gpus_wait_for_no_styles_but_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, parsed = stylesheet.parse, list[str]()

    def counting(scope: str, css: str, read_from: tuple[str, str], **rest) -> Iterator[RuleSet]:
        parsed.append(read_from[0].rpartition("/")[2])
        return parse(scope, css, read_from, **rest)

    monkeypatch.setattr(stylesheet, "parse", counting)
    async with GpuApp().run_test(size=(120, 40)):
        pass
    assert [name for name in parsed if name.endswith(".tcss")] == ["base.tcss", "gpus.tcss"]


def test_the_gpus_wait_for_nothing_of_the_lesson() -> None:
    code = (
        "import sys, vramtop.tui.app.monitor, vramtop.tui.app.gpu_app; "
        "late = {'vramtop.tui.app.lesson_app', 'vramtop.tui.screens.main', 'psutil'}; "
        "print(late & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"
