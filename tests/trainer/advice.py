"""The advice that a user reads about a data directory that cannot be used; and packed files."""

import gzip
import subprocess
import tarfile
from pathlib import Path

import pytest
from vramtop.protocol.lesson.settings import DatasetName, SettingError
from vramtop.trainer.data import sources


def advice(dataset: DatasetName, root: Path | str) -> str:
    """The one line about an unusable data directory."""
    with pytest.raises(SettingError) as failure:
        sources.find(dataset, str(root), download=False)
    text = str(failure.value)
    assert "\n" not in text
    return text


def follow(text: str) -> None:
    """Run the command that a line of advice ends with."""
    command = text.rpartition("unpack with: ")[2]
    subprocess.run(["sh", "-c", command], check=True, timeout=20)


def pack(folder: Path) -> None:
    """Replace every file by its .gz."""
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def follow_for_archive(folder: Path, archive: str, where: Path) -> None:
    """Pack a folder of CIFAR-10 into an archive in `where`, and follow the advice about that."""
    where.mkdir()
    with tarfile.open(where / archive, "w:gz") as packed:
        packed.add(folder, folder.name)
    follow(advice("cifar10", where))
