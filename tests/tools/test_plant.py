"""The list of planted faults fits the code, and what plants them leaves the checkout alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import plant
import pytest
from faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
WALK = Fault(
    "the walk goes on past its end",
    "tui/state/walk.py",
    "return min(self.last, self.first + passed)",
    "return self.first + passed",
    ("tests/tui/state/test_walk.py",),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_replaced_stands_in_the_code_once_and_its_tests_are_there(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    assert plant.planted(fault, text) != text
    assert all((ROOT / test).exists() for test in fault.tests)


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_is_not_there_or_there_twice_cannot_be_planted() -> None:
    for text, count in (("nothing of it", 0), (f"{WALK.old}\n{WALK.old}\n", 2)):
        with pytest.raises(plant.CannotPlantError, match=f"tui/state/walk.py .* {count} times"):
            plant.planted(WALK, text)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of two packages and a test, all that the walk needs."""
    names = ("tui/state/walk.py", "tui/state/__init__.py", "tui/__init__.py", "pyproject.toml")
    names += tuple(str(path.relative_to(ROOT)) for path in (ROOT / "protocol").rglob("*.py"))
    for name in (*names, *WALK.tests):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "typings" / "vramtop").mkdir(parents=True)
    for package in ("protocol", "tui"):
        (tmp_path / "typings" / "vramtop" / package).symlink_to(f"../../{package}")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_a_fault_is_planted_in_a_copy_that_its_tests_import(checkout: Path) -> None:
    before = (checkout / WALK.file).read_text()
    assert plant.caught(WALK, checkout)
    assert not plant.caught(WALK._replace(new=f"{WALK.old}  # no fault at all"), checkout)
    assert (checkout / WALK.file).read_text() == before


def test_tests_that_cannot_run_have_caught_nothing(checkout: Path) -> None:
    with pytest.raises(plant.CannotPlantError, match="pytest cannot run"):
        plant.caught(WALK._replace(new="return ("), checkout)


def test_processes_that_tests_start_import_the_copy_too(checkout: Path) -> None:
    with plant.copied(checkout) as copy:
        python = copy / ".venv" / "bin" / "python"
        code = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"
        where = "import vramtop.tui.state.walk; print(vramtop.tui.state.walk.__file__)"
        said = subprocess.run(
            [python, "-c", code, "-c", where],
            cwd="/", check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert Path(said.stdout.strip()).resolve() == copy / WALK.file
