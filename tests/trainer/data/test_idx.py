"""MNIST's files: each must have the right header and the length that it states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from vramtop.trainer.data.idx import count

Mnist = dict[str, bytes]
Write = Callable[[Mnist], Path]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def counted(root: Path, part: str = "train") -> int:
    raw = root / "MNIST" / "raw"
    return count(raw / f"{part}-images-idx3-ubyte", raw / f"{part}-labels-idx1-ubyte")


def test_labelled_images_are_counted(mnist: Mnist, write: Write) -> None:
    root = write(mnist)
    assert (counted(root), counted(root, "t10k")) == (20, 10)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (IMAGES, b"", f"{IMAGES} is empty"),
        (LABELS, b"<!DOCTYPE html>", f"{LABELS} begins with 3c 21 44 4f, not with 00 00 08 01 as"),
        (IMAGES, bytes([0, 0, 8, 1]) + bytes(40), "begins with 00 00 08 01, not with 00 00 08 03"),
        (IMAGES, bytes([0, 0, 8, 3, 0, 0]), "ends inside its header, after 6 B of 16"),
        (LABELS, bytes([0, 0, 8, 1]) + bytes(4), f"{LABELS} holds no labels: its header states 0"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 20]) + bytes(19), "27 B long, but 28 B would hold"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 20]) + bytes(21), "29 B long, but 28 B would hold"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 19]) + bytes(19), "20 images, but .* holds 19 labels"),
    ],
)
def test_what_is_wrong_with_a_file_is_reported_with_what_would_be_right(
    name: str, content: bytes, text: str, mnist: Mnist, write: Write
) -> None:
    mnist[name] = content
    with pytest.raises(ValueError, match=text):
        counted(write(mnist))


def test_images_of_another_size_are_reported(
    mnist: Mnist, write: Write, idx: Callable[..., bytes]
) -> None:
    mnist[IMAGES] = idx(np.zeros((20, 14, 56)))
    with pytest.raises(ValueError, match=r"images of 14 × 56, not 28 × 28"):
        counted(write(mnist))
