"""Ways in which people start a training: each is watched, and is as it was without us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

import pytest
from command import TIMEOUT_SECONDS, VRAMTOP

FLOAT = 4
P = FLOAT * (20 * 5 + 5)
TRAIN = """
import sys, torch
model = torch.nn.Linear(20, 5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(4):
    model(torch.ones(16, 20)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
print(*sys.argv[1:], getattr(sys, "theirs", "trained"))
print("a warning", file=sys.stderr)
sys.exit(7)
"""
TWICE = """"$0" train.py first
"$0" -m package second
exit 9
"""
BATCH = 'unset HOME TERM USER LOGNAME\nexec "$0" -c "$1" >out 2>err <&-\n'
BARE = ("env", "PYTHONSAFEPATH=1", "LC_ALL=C", "nohup")
# Not in the environment, which a program would have of the monitor, whose path it is too.
SITE = "import sys; sys.theirs = 'theirs'"
PYTHON = sys.executable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the training as a script, a package and an archive."""
    for path in ("train.py", "package/__main__.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(TRAIN)
    zipapp.create_archive(tmp_path / "package", tmp_path / "train.pyz")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SITE)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "printed", "code", "programs"),
    [
        ([*BARE, PYTHON, "train.pyz", "é"], "é trained\n", 7, ["train.pyz"]),
        (
            ["sh", "-c", TWICE, PYTHON],
            "first trained\nsecond trained\n", 9, ["train.py", "package"],
        ),
        (["sh", "-c", BATCH, PYTHON, TRAIN], "", 7, ["python"]),
        (
            [PYTHON, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=1", "train.py"],
            "trained\n", 1, ["train.py"],
        ),
    ],
    ids=["bare", "twice", "batch", "accelerate"],
)  # fmt: skip
def test_a_training_is_watched_however_it_is_started(
    folder: Path, command: list[str], printed: str, code: int, programs: list[str]
) -> None:
    done = _run(folder, command, {})
    assert (done.returncode, done.stdout) == (code, printed)
    assert "a warning\n" in done.stderr + _text(folder / "err")
    assert "trained" in done.stdout + _text(folder / "out")
    reports = json.loads((folder / "report").read_text())
    assert [each["program"] for each in reports] == programs
    for report in reports:
        assert report["kinds"][0]["high_water"]["parameters"] == P


def test_a_program_from_stdin_keeps_its_path_and_its_own_sitecustomize(folder: Path) -> None:
    done = _run(folder, [PYTHON, "-", "a"], {"PYTHONPATH": str(folder / "site")})
    assert (done.returncode, done.stdout) == (7, "a theirs\n")
    (report,) = json.loads((folder / "report").read_text())
    assert report["program"] == "python"
    assert report["kinds"][0]["high_water"]["parameters"] == P


def _run(
    folder: Path, command: list[str], more: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command under observation; nothing is left of its sockets."""
    with tempfile.TemporaryDirectory(prefix="vt", dir="/tmp") as sockets:
        done = subprocess.run(
            [VRAMTOP, "run", "--headless", "--output", str(folder / "report"), "--", *command],
            cwd=folder, env={**os.environ, "VRAMTOP_SOCKETS": f"{sockets}/s", **more},
            input=TRAIN, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        assert [*Path(sockets, "s").iterdir()] == []
    return done


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
