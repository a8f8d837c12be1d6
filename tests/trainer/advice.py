"""The advice that a user reads about a data directory that cannot be used."""

import subprocess
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
