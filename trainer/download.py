"""Fetch a dataset: `python -m vramtop.trainer.download mnist FOLDER PARENT`, by torchvision itself.

Its progress bars go to the terminal; where there is none, they are left out. It ends with the
process `PARENT` that started it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from vramtop.protocol.lesson.settings import DatasetName
from vramtop.trainer.data.sources import folder, where

from .parent import die_with

TIMEOUT_SECONDS = 30


def download(dataset: DatasetName, root: Path) -> str | None:
    """Fetch `dataset` into `root`; None, or one line that says why not and what to do.

    Where it fails, no empty folder stays behind.
    """
    # Seconds of import, so only here: the process already dies with its parent.
    from torchvision import datasets

    place = folder(dataset, root)
    new = [path for path in (place, *place.parents) if not path.exists()]
    kinds = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}
    try:
        root.mkdir(parents=True, exist_ok=True)
        with Path(os.devnull).open("w") as nowhere:
            # It prints what failed on stdout, which is for results.
            quiet = contextlib.redirect_stdout(nowhere)
            bars = contextlib.redirect_stderr(sys.stderr if sys.stderr.isatty() else nowhere)
            with quiet, bars:
                kinds[dataset](str(root), download=True)
    # Refused, cut off, or answered with something else: whatever it is, the files are not here.
    except Exception as error:
        for path in new:
            with contextlib.suppress(OSError):  # what came so far stays
                path.rmdir()
        reason = " ".join(str(error).split())
        return f"{dataset} could not be downloaded ({reason}); put {where(dataset, root)}"
    return None


def main() -> int:
    """Fetch what the arguments name; 1 if that failed."""
    dataset, root, parent = sys.argv[1:]
    die_with(int(parent))
    socket.setdefaulttimeout(TIMEOUT_SECONDS)  # torchvision asks without one
    failure = download("cifar10" if dataset == "cifar10" else "mnist", Path(root))
    if failure:
        print(f"vramtop: {failure}", file=sys.stderr)  # noqa: T201
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
