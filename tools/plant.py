"""Plant faults and see whether the tests notice: `python tools/plant.py [--jobs N] [WORDS…]`.

Each fault of `faults/`, or those whose names contain one of the words, is planted in its own copy
of this checkout. Tests import the copy, also in the processes that they start. So the checkout
never changes. First the same tests run in a copy without a fault, where they must pass.

Exit codes: 0 all are caught, 1 some survived, 2 a fault cannot be planted or tests fail without.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from faults import FAULTS, Fault

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 900.0
_PASSED, _FAILED = 0, 1  # pytest's exit codes; any other means that nothing was tested
_VRAMTOP = """\
#!{python}
import sys
from vramtop.tui.cli.main import main
sys.exit(main())
"""


class CannotPlantError(Exception):
    """A fault does not fit the checkout, or its tests cannot run; the text says why."""


def planted(fault: Fault, text: str) -> str:
    """The text of the fault's file with the fault in it.

    Raises `CannotPlantError` unless the passage to replace stands there exactly once.
    """
    count = text.count(fault.old)
    if count != 1:
        raise CannotPlantError(
            f"{fault.name!r}: {fault.file} holds what is to be replaced {count} times, not once"
        )
    return text.replace(fault.old, fault.new)


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of the checkout without ignored files; `copy/.venv/bin/python` imports the copy.

    All other packages come from the environment that runs this.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Path(folder).resolve() / "checkout"
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_symlink() or (root / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name, follow_symlinks=False)
        _environment(copy)
        yield copy


def _environment(copy: Path) -> None:
    venv.create(copy / ".venv", symlinks=True)
    python = copy / ".venv" / "bin" / "python"
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    # In `typings` both folders stand as one package. It comes before the editable install's own
    # mapping, which points to the checkout.
    shared = sysconfig.get_path("purelib")
    lines = (str(copy / "typings"), f"import site; site.addsitedir({shared!r})")
    (Path(packages) / "planted.pth").write_text("\n".join(lines) + "\n")
    script = copy / ".venv" / "bin" / "vramtop"
    script.write_text(_VRAMTOP.format(python=python))
    script.chmod(0o755)


def run(copy: Path, tests: Iterable[str], *more: str) -> tuple[int, str]:
    """pytest's exit code and output for these tests in the copy, up to the first failure.

    Raises `CannotPlantError` where they do not end.
    """
    python = copy / ".venv" / "bin" / "python"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", "-x", "--tb=line", *more, *tests]
    try:
        ended = subprocess.run(
            command, cwd=copy, env=environment, stdin=subprocess.DEVNULL, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotPlantError(f"no end of {' '.join(tests)}") from None
    if ended.returncode not in (_PASSED, _FAILED):
        raise CannotPlantError(f"pytest cannot run {' '.join(tests)}:\n{ended.stdout}")
    return ended.returncode, ended.stdout


def caught(fault: Fault, root: Path = ROOT) -> bool:
    """Whether a test fails with this fault in a copy of `root`. Raises `CannotPlantError`."""
    with copied(root) as copy:
        file = copy / fault.file
        file.write_text(planted(fault, file.read_text()))
        code, _ = run(copy, fault.tests, "-n", "0")
        return code == _FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant them all; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="copies at a time")
    parser.add_argument("words", nargs="*", help="only faults whose names contain one of these")
    given = parser.parse_args(arguments)
    wanted = [f for f in FAULTS if not given.words or any(word in f.name for word in given.words)]
    try:
        for fault in wanted:
            planted(fault, (ROOT / fault.file).read_text())
        with copied(ROOT) as copy:
            tests = sorted({test for fault in wanted for test in fault.tests})
            code, output = run(copy, tests, "-n", str(given.jobs))
            if code != _PASSED:
                raise CannotPlantError(f"these tests fail without any fault:\n{output}")
        survived = _plant(wanted, given.jobs)
    except CannotPlantError as error:
        print(f"plant: {error}", file=sys.stderr)
        return 2
    print(f"{len(wanted) - len(survived)} of {len(wanted)} caught")
    return 1 if survived else 0


def _plant(wanted: Sequence[Fault], jobs: int) -> list[Fault]:
    """The faults that no test noticed; prints each result as soon as it is known."""

    def one(fault: Fault) -> bool:
        began = time.monotonic()
        found = caught(fault)
        result = "caught" if found else "SURVIVED"
        print(f"{result:8} {time.monotonic() - began:6.1f} s  {fault.name}", flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(one, wanted))
    return [fault for fault, seen in zip(wanted, found, strict=True) if not seen]


if __name__ == "__main__":
    sys.exit(main())
