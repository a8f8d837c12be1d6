"""CIFAR-10's original files, which are pickles, read by torchvision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity


def read(folder: Path) -> tuple[list[tuple[Tensor, Tensor]], tuple[str, ...]]:
    """Training and test images, uint8 (N, 3, 32, 32), with their labels, int64 (N,); the classes.

    Raises `ValueError` where files are missing or differ from the originals.
    """
    root = str(folder.parent)
    try:
        parts = [CIFAR10(root, train=train) for train in (True, False)]
    except RuntimeError:
        # Its text names no file.
        raise ValueError(not_original(folder)) from None
    # torchvision puts the channels last; the files and the model have them first.
    images = [
        (torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets))
        for part in parts
    ]
    return images, tuple(parts[0].classes)


def not_original(folder: Path) -> str:
    """Which of CIFAR-10's files are missing or differ from the originals."""
    meta = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
    wrong = []
    for name, md5 in (*CIFAR10.train_list, *CIFAR10.test_list, meta):
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif not check_integrity(str(path), md5):
            wrong.append(f"{name}, {path.stat().st_size:,} B, has not the MD5 checksum {md5}")
    return ", and ".join(wrong)
