"""Cut the sample that ships out of the full MNIST: `python tools/make_sample.py MNIST_RAW_FOLDER`.

The first 600 training and 100 test images of each digit, in their original order, as gzipped IDX
files in trainer/sample/. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "trainer" / "sample"
PIXELS = 28 * 28


def cut(raw: Path, kind: str, each: int) -> None:
    """Write the first `each` images of every digit of the set `kind` (train or t10k)."""
    images = (raw / f"{kind}-images-idx3-ubyte").read_bytes()[16:]
    labels = (raw / f"{kind}-labels-idx1-ubyte").read_bytes()[8:]
    taken = [0] * 10
    chosen = []
    for index, label in enumerate(labels):
        if taken[label] < each:
            taken[label] += 1
            chosen.append(index)
    pictures = b"".join(images[i * PIXELS : (i + 1) * PIXELS] for i in chosen)
    write(f"{kind}-images-idx3-ubyte", struct.pack(">4I", 2051, len(chosen), 28, 28) + pictures)
    write(
        f"{kind}-labels-idx1-ubyte",
        struct.pack(">2I", 2049, len(chosen)) + bytes(labels[i] for i in chosen),
    )


def write(name: str, content: bytes) -> None:
    """Write a gzipped file without a time stamp."""
    (SAMPLE / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    for kind, each in (("train", 600), ("t10k", 100)):
        cut(Path(sys.argv[1]), kind, each)
