"""Plant faults and see whether the tests notice: `python tools/plant.py [--jobs N] [WORDS…]`.

Each fault of `faults/`, or those whose names contain one of the words, is planted in a copy of
its own of this checkout, with an environment of its own that imports that copy, also in the
processes that tests start. So nothing here changes, whenever this is interrupted. First the same
tests run in a copy without a fault: where they fail, nothing can be said.

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
_PASSED, _FAILED = 0, 1  # pytest's exit codes; all others say that nothing was tested
_VRAMTOP = """\
#!{python}
import sys
from vramtop.tui.cli.main import main
sys.exit(main())
"""


class CannotPlantError(Exception):
    """The checkout is not as the list of faults has it; the text is one line."""


def planted(fault: Fault, text: str) -> str:
    """The text of the fault's file with the fault in it.

    Raises `CannotPlantError` unless it stands there as it is to be replaced, once.
    """
    count = text.count(fault.old)
    if count != 1:
        raise CannotPlantError(
            f"{fault.name!r}: {fault.file} holds what is to be replaced {count} times, not once"
        )
    return text.replace(fault.old, fault.new)


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of what git knows of the checkout, or would add to it, with a Python that imports it.

    Packages come from the environment that runs this; `copy/.venv/bin` has the python.
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
    """pytest's exit code for these tests in the copy, up to the first that fails; what it said.

    Raises `CannotPlantError` where they do not end.
    """
    python = copy / ".venv" / "bin" / "python"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", "-x", "--tb=line", *more, *tests]
    with subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise CannotPlantError(f"no end of {' '.join(tests)}") from None
        finally:
            process.kill()
    if process.returncode not in (_PASSED, _FAILED):
        raise CannotPlantError(f"pytest cannot run {' '.join(tests)}:\n{told}")
    return process.returncode, told


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
            code, told = run(copy, tests, "-n", str(given.jobs))
            if code != _PASSED:
                raise CannotPlantError(f"these tests fail without any fault:\n{told}")
        survived = _plant(wanted, given.jobs)
    except CannotPlantError as error:
        print(f"plant: {error}", file=sys.stderr)
        return 2
    print(f"{len(wanted) - len(survived)} of {len(wanted)} caught")
    return 1 if survived else 0


def _plant(wanted: Sequence[Fault], jobs: int) -> list[Fault]:
    """Those that no test noticed, each told of as it is known."""

    def one(fault: Fault) -> bool:
        began = time.monotonic()
        found = caught(fault)
        told = "caught" if found else "SURVIVED"
        print(f"{told:8} {time.monotonic() - began:6.1f} s  {fault.name}", flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(one, wanted))
    return [fault for fault, seen in zip(wanted, found, strict=True) if not seen]


if __name__ == "__main__":
    sys.exit(main())
