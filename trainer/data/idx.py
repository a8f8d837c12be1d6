"""The header and the length that each of MNIST's files must have. No torch."""

from __future__ import annotations

from pathlib import Path

_SIDE = 28
# The magic numbers: unsigned bytes (8) in three dimensions or one. Sizes follow, 4 bytes each.
_IMAGES, _LABELS = bytes([0, 0, 8, 3]), bytes([0, 0, 8, 1])
# Bytes of the magic number and the sizes.
IMAGES_HEADER, LABELS_HEADER = 16, 8


def count(images_path: Path, labels_path: Path) -> int:
    """How many labelled images these two files hold.

    Raises `ValueError` with one line (the file, what is wrong, what would be right), and `OSError`
    where a file cannot be read.
    """
    images, *sides = _dimensions(images_path, _IMAGES)
    (labels,) = _dimensions(labels_path, _LABELS)
    if sides != [_SIDE, _SIDE]:
        height, width = sides
        raise ValueError(
            f"{images_path.name} holds images of {height} × {width}, not {_SIDE} × {_SIDE}"
        )
    for path, number, each in ((images_path, images, _SIDE * _SIDE), (labels_path, labels, 1)):
        _check_length(path, number, each)
    if images != labels:
        raise ValueError(
            f"{images_path.name} holds {images:,} images, "
            f"but {labels_path.name} holds {labels:,} labels"
        )
    return images


def _dimensions(path: Path, kind: bytes) -> list[int]:
    """The dimensions that an IDX file's header states."""
    length = 4 + 4 * kind[3]
    with path.open("rb") as file:
        header = file.read(length)
    if header[:4] != kind:
        if not header:
            raise ValueError(f"{path.name} is empty")
        raise ValueError(
            f"{path.name} begins with {header[:4].hex(' ')}, not with {kind.hex(' ')} as it should"
        )
    if len(header) < length:
        raise ValueError(f"{path.name} ends inside its header, after {len(header)} B of {length}")
    return [int.from_bytes(header[start : start + 4], "big") for start in range(4, length, 4)]


def _check_length(path: Path, number: int, each: int) -> None:
    """Raise `ValueError` unless the file is as long as its header states, and not empty."""
    what, header = ("images", IMAGES_HEADER) if each > 1 else ("labels", LABELS_HEADER)
    if number == 0:
        raise ValueError(f"{path.name} holds no {what}: its header states 0")
    right, size = header + number * each, path.stat().st_size
    if size != right:
        raise ValueError(
            f"{path.name} is {size:,} B long, but {right:,} B would hold the {number:,} {what} "
            "that its header states"
        )
