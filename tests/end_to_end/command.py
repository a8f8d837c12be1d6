"""The installed command, run to its end as a user runs it."""

import subprocess
import sys
from pathlib import Path

VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
TIMEOUT_SECONDS = 120


def vramtop(*arguments, **options):
    """Run the command; returns its output and its exit code."""
    return subprocess.run(
        [VRAMTOP, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
        **options,
    )


def complaint(*arguments, **options):
    """The single line that the command prints about bad usage."""
    result = vramtop(*arguments, **options)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr
