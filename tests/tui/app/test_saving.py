"""The screen and the table as files: complete, named after the time, never over another."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path

import pytest
from made import BEGUN, HELLO, measured, sample
from screens import screen
from vramtop.tui.app import saving
from vramtop.tui.app.saving import CannotSave, save, table
from vramtop.tui.state.lesson.visits import Learned, Visit
from vramtop.tui.terminal.capabilities import Terminal

NOW = datetime(2026, 11, 28, 20, 15, 30)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_key_saves_the_screen_as_it_stands_as_text_and_as_a_picture(here: Path) -> None:
    async with screen(120, 40, *BEGUN) as seen:
        strips = seen.app.screen._compositor.render_strips()
        lines = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
        await seen.press("S")
        (text,) = here.glob("vramtop-*.txt")
        (picture,) = here.glob("vramtop-*.svg")
        assert text.stem == picture.stem
        assert text.read_text().splitlines() == lines
        assert f"saved {picture.name} and .txt" in seen.text
        words = " ".join("".join(ET.fromstring(picture.read_text()).itertext()).split())
        assert "Activations" in words.replace("\xa0", " ")


async def test_without_colours_and_in_ascii_the_files_are_as_the_screen_is(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen(120, 40, *BEGUN, terminal=Terminal(characters="ascii")) as seen:
        await seen.press("S")
        (text,) = here.glob("*.txt")
        (picture,) = here.glob("*.svg")
        assert text.read_text().isascii()
        assert "Activations" in text.read_text()
        assert picture.read_text().startswith("<svg")


async def test_a_key_saves_the_table_with_units_in_its_header_and_plain_numbers(
    here: Path,
) -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await seen.press("C")
        (file,) = here.glob("vramtop-*.csv")
        (row,) = csv.DictReader(file.read_text().splitlines())
        anatomy = measured().anatomy
        assert row["batch_size_images"] == "64"
        assert row["peak_bytes"] == str(anatomy.peak.bytes)
        assert row["activations_high_water_bytes"] == str(anatomy.high_water.activations)
        assert row["out_of_memory"] == "false"
        assert float(row["step_seconds"]) == sample().step_seconds
        assert row["test_loss_after"] == ""
        assert f"saved {file.name}" in seen.text


async def test_before_a_size_was_measured_there_is_no_table(here: Path) -> None:
    async with screen(120, 40, HELLO) as seen:
        await seen.press("C")
        assert "no batch size was measured yet" in seen.text
        assert not list(here.iterdir())


def test_no_file_is_ever_written_over(here: Path) -> None:
    assert save({".svg": "a", ".txt": "b"}, NOW) == "vramtop-20261128-201530.svg and .txt"
    (here / "vramtop-20261128-201530-2.txt").write_text("theirs")
    assert save({".svg": "c", ".txt": "d"}, NOW) == "vramtop-20261128-201530-3.svg and .txt"
    assert (here / "vramtop-20261128-201530.svg").read_text() == "a"
    assert (here / "vramtop-20261128-201530-2.txt").read_text() == "theirs"


def test_where_the_folder_takes_no_file_another_one_does_and_is_named(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert save({".csv": "x"}, NOW) == f"vramtop-20261128-201530.csv in {home}"


def test_where_no_folder_does_one_line_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Path("/nowhere at all")
    monkeypatch.setattr(saving, "_folders", lambda: iter([nowhere]))
    with pytest.raises(CannotSave, match=r"^cannot save: /nowhere at all: No such file"):
        save({".csv": "x"}, NOW)


def test_a_size_that_ran_out_of_memory_has_its_line_and_one_that_is_predicted_none() -> None:
    ran_out = Visit(4096, peak=9_000, out_of_memory=True, limit=8_000, accumulation=2)
    rows = list(csv.DictReader(table((Visit(64, predicted=True), ran_out)).splitlines()))
    assert [row["batch_size_images"] for row in rows] == ["4096"]
    assert (rows[0]["out_of_memory"], rows[0]["limit_bytes"]) == ("true", "8000")
    assert rows[0]["accumulation_batches"] == "2"


def test_losses_of_a_fair_comparison_stand_beside_those_of_the_live_training() -> None:
    live = Learned(before=2.3, after=0.4, images=30_000, start=6_000, rate=0.001)
    fair = Learned(before=2.31, after=0.26, images=30_000, start=0, rate=0.001)
    (row,) = csv.DictReader(table((Visit(64, learned=live, fair=fair),)).splitlines())
    assert row["images_before_losses"] == "6000"
    assert (row["test_loss_before"], row["test_loss_after"]) == ("2.3", "0.4")
    assert (row["fair_test_loss_before"], row["fair_test_loss_after"]) == ("2.31", "0.26")
    assert row["images_between_losses"] == row["fair_images_between_losses"] == "30000"
