"""Downloads that fail: the message, and that no folder is left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torchvision
from vramtop.protocol.lesson.settings import DatasetName
from vramtop.trainer import download
from vramtop.trainer.data import sources

_REFUSED = "http://127.0.0.1:1/"  # nobody listens there


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror and no proxy can be reached."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [_REFUSED])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", _REFUSED + "cifar.tar.gz")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_refused_download_says_in_one_line_which_files_belong_where(
    dataset: DatasetName, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = download.download(dataset, tmp_path)
    assert text is not None
    assert "\n" not in text
    assert "Connection refused" in text
    assert sources.where(dataset, tmp_path) in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_refused_download_leaves_only_what_was_there(
    dataset: DatasetName, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    assert download.download(dataset, tmp_path / "mine" / "new" / "data") is not None
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


@pytest.mark.usefixtures("offline")
def test_what_is_there_already_is_not_downloaded(mnist_root: Path) -> None:
    assert download.download("mnist", mnist_root) is None


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = download.download("mnist", tmp_path / "file" / "data")
    assert text is not None
    assert "Not a directory" in text
