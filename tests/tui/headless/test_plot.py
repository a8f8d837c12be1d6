"""The picture of a sweep, and what is checked before the run."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made import configured, measured, sample
from vramtop.protocol.lesson.messages import Evaluated, LessonEnded
from vramtop.protocol.lesson.settings import SettingError
from vramtop.tui.headless import plot
from vramtop.tui.headless.rows import OutOfMemoryRow, Row, make_row
from vramtop.tui.headless.run import Run


def row(batch_size: int, accuracy: float = 0.9) -> Row | OutOfMemoryRow:
    run = Run()
    for message in (
        configured(batch_size=batch_size),
        measured(batch_size),
        sample(10 * batch_size, batch_size=batch_size),
        Evaluated(1, 0.3, accuracy, 1000, 1000, None),
        LessonEnded(10, 10 * batch_size),
    ):
        run.add(message)
    return make_row([run])


ROWS = [row(64, 0.93), row(256, 0.912), OutOfMemoryRow(4096, True, 2**24, 2**23)]
CURVES = {64: [[(64, 2.3), (640, 0.4)]], 256: [[(256, 2.3), (2_560, 0.9)]], 4096: [[]]}


@pytest.mark.parametrize("file", ["plot", "plot.pdf", "-", ".svg"])
def test_an_unknown_ending_is_refused_before_the_run(file: str) -> None:
    with pytest.raises(SettingError, match=r"a plot ends in \.svg or \.png, not"):
        plot.check(file)


def test_a_file_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    for file, reason in (
        (tmp_path / "nowhere" / "plot.svg", "No such file or directory"),
        (tmp_path / ("long" * 100 + ".svg"), "File name too long"),
        (tmp_path / "nul\0.svg", "null"),
    ):
        with pytest.raises(SettingError, match=f"the plot cannot be written to .*: .*{reason}"):
            plot.check(str(file))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SettingError, match="Is a directory"):
        plot.check(str(tmp_path / "folder.png"))


def test_a_look_whether_it_can_be_written_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: True)
    old, new = tmp_path / "old.svg", tmp_path / "new.PNG"
    old.write_text("an older picture")
    for file in (old, new):
        plot.check(str(file))
    assert old.read_text() == "an older picture"
    assert os.listdir(tmp_path) == ["old.svg"]  # noqa: PTH208


def test_without_matplotlib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match=r"--plot needs matplotlib: pip install"):
        plot.check(str(tmp_path / "plot.svg"))


def test_the_picture_has_memory_and_learning_in_the_colours_of_the_screen(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="--plot is an optional extra")
    file = tmp_path / "plot.svg"
    plot.write(str(file), "MNIST sample\nadam", ROWS, CURVES, "all the same")
    text = file.read_text()
    words = {"".join(found.itertext()) for found in ElementTree.parse(file).iter() if _text(found)}
    assert {"MNIST sample · adam", "all the same", "training loss over images"} <= words
    assert {"Parameters", "Temporaries", "formula", "peak of all at once", "budget"} <= words
    assert {"64", "256", "4,096", "93.0%", "91.2%", "out of memory"} <= words
    for color in plot.LIGHT.fills:
        assert color in text
    plot.write(str(file), "MNIST sample\nadam", ROWS, CURVES, "all the same")
    assert file.read_text() == text


def test_a_picture_can_be_a_png_and_of_nothing_but_sizes_that_did_not_fit(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="--plot is an optional extra")
    file = tmp_path / "plot.png"
    plot.write(str(file), "MNIST", [OutOfMemoryRow(64, True, None, None)], {64: [[]]}, "")
    assert file.read_bytes().startswith(b"\x89PNG")


def _text(element: ElementTree.Element) -> bool:
    return element.tag.endswith("}text")
