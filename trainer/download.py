"""Fetch a dataset with torchvision: `python -m vramtop.trainer.download mnist FOLDER PARENT`.

torchvision's progress bars go to stderr if that is a terminal. The process ends with the process
`PARENT` that started it.
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
    """Fetch `dataset` into `root`; returns None, or one line with the reason and a remedy.

    After a failure no empty folder stays behind.
    """
    # The import takes seconds, so it comes after `die_with`.
    from torchvision import datasets

    place = folder(dataset, root)
    new = [path for path in (place, *place.parents) if not path.exists()]
    kinds = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}
    try:
        root.mkdir(parents=True, exist_ok=True)
        with Path(os.devnull).open("w") as nowhere:
            # torchvision prints failures on stdout, which is for results.
            quiet = contextlib.redirect_stdout(nowhere)
            bars = contextlib.redirect_stderr(sys.stderr if sys.stderr.isatty() else nowhere)
            with quiet, bars:
                kinds[dataset](str(root), download=True)
    # Whatever the failure is (refused, cut off, a wrong answer), the files are missing.
    except Exception as error:
        for path in new:
            with contextlib.suppress(OSError):  # a folder with files stays
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
