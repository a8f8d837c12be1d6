"""Where the images come from, and the advice for missing files."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from advice import advice, follow, follow_for_archive, pack
from vramtop.protocol.lesson.settings import DatasetName, SettingError
from vramtop.trainer.data import folders, sources


@pytest.mark.parametrize(
    ("dataset", "kind", "images", "pixels"),
    [("mnist", "sample", 6_000, 784), ("cifar10", "synthetic", 50_000, 3072)],
)
def test_without_a_data_directory_the_packages_own_images_are_used(
    dataset: DatasetName, kind: str, images: int, pixels: int
) -> None:
    source = sources.find(dataset, None, download=False)
    assert (source.kind, source.root) == (kind, None)
    assert (source.train_images, source.pixels) == (images, pixels)


def test_mnist_files_are_found_and_counted(mnist_root: Path) -> None:
    source = sources.find("mnist", str(mnist_root), download=False)
    assert (source.kind, source.root, source.train_images) == ("files", mnist_root, 20)


def test_cifar10_files_are_found(cifar_root: Path) -> None:
    source = sources.find("cifar10", str(cifar_root), download=False)
    assert (source.kind, source.root, source.train_images) == ("files", cifar_root, 50_000)


def test_a_tilde_means_the_home_directory(
    mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(mnist_root.parent))
    assert sources.find("mnist", f"~/{mnist_root.name}", download=False).root == mnist_root


# ---- downloads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dataset", "images"), [("mnist", 60_000), ("cifar10", 50_000)])
def test_a_download_goes_into_the_data_directory(
    dataset: DatasetName, images: int, tmp_path: Path
) -> None:
    source = sources.find(dataset, str(tmp_path / "new"), download=True)
    assert (source.kind, source.root, source.train_images) == (
        "download",
        tmp_path / "new",
        images,
    )


def test_files_that_are_there_are_not_downloaded_again(mnist_root: Path) -> None:
    assert sources.find("mnist", str(mnist_root), download=True).kind == "files"


def test_a_download_without_a_data_directory_goes_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert sources.find("mnist", None, download=True).root == tmp_path / "vramtop"


@pytest.mark.parametrize("cache", ["", "relative"])
def test_the_cache_is_below_the_home_directory_unless_an_absolute_one_is_set(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    root = sources.find("mnist", None, download=True).root
    assert root is not None
    assert root.is_relative_to(tmp_path)
    assert root.name == "vramtop"


def test_a_download_once_made_is_used_only_when_asked_for(
    mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(mnist_root.parent))
    mnist_root.rename(mnist_root.parent / "vramtop")
    assert sources.find("mnist", None, download=True).kind == "files"
    assert sources.find("mnist", None, download=False).kind == "sample"


def test_without_a_home_directory_a_download_asks_for_a_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(SettingError, match="use --data-dir PATH"):
        sources.find("mnist", None, download=True)


def test_a_home_directory_of_nobody_is_named() -> None:
    assert advice("mnist", "~nobody-at-all/x") == (
        "data directory ~nobody-at-all/x: no such home directory is known"
    )


def test_an_empty_name_is_not_the_current_directory() -> None:
    assert "use . for the current one" in advice("mnist", "")


# ---- data directories that cannot be used --------------------------------------------------------


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_missing_data_directory_is_named(dataset: DatasetName, tmp_path: Path) -> None:
    text = advice(dataset, tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'} does not exist" in text
    assert "--download" in text


@pytest.mark.parametrize("download", [False, True])
def test_a_file_is_no_data_directory(download: bool, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="file is not a directory"):
        sources.find("mnist", str(tmp_path / "file"), download=download)


def test_a_data_directory_without_permission_is_named(
    mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind root
    assert (
        advice("mnist", mnist_root) == f"data directory {mnist_root} cannot be read: no permission"
    )


def test_a_file_that_cannot_be_opened_is_named(
    mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    text = advice("mnist", mnist_root)
    assert text.endswith("train-images-idx3-ubyte cannot be read: Permission denied")


def test_a_path_that_no_system_takes_is_refused() -> None:
    assert "cannot be read: File name too long" in advice("mnist", "x" * 300)


@pytest.mark.parametrize("name", folders.MNIST_FILES)
def test_a_missing_mnist_file_is_named(name: str, mnist_root: Path) -> None:
    (mnist_root / "MNIST" / "raw" / name).unlink()
    assert f"no {name} in {mnist_root}/MNIST/raw" in advice("mnist", mnist_root)


@pytest.mark.parametrize("name", folders.CIFAR10_FILES)
def test_a_missing_cifar10_file_is_named(name: str, cifar_root: Path) -> None:
    (cifar_root / "cifar-10-batches-py" / name).unlink()
    assert f"no {name} in {cifar_root}/cifar-10-batches-py" in advice("cifar10", cifar_root)


def test_an_empty_data_directory_names_the_files_that_belong_there(tmp_path: Path) -> None:
    text = advice("mnist", tmp_path)
    assert all(name in text for name in folders.MNIST_FILES)
    assert f"in {tmp_path}/MNIST/raw" in text


@pytest.mark.parametrize("inside", ["MNIST", "MNIST/raw"])
def test_a_folder_inside_the_data_directory_is_answered_with_the_right_one(
    inside: str, mnist_root: Path
) -> None:
    assert advice("mnist", mnist_root / inside).endswith(f"use --data-dir '{mnist_root}'")


def test_cifar10s_own_folder_is_answered_with_the_one_around_it(cifar_root: Path) -> None:
    inside = cifar_root / "cifar-10-batches-py"
    assert advice("cifar10", inside).endswith(f"use --data-dir {cifar_root}")


def test_files_beside_the_layout_get_advice(tmp_path: Path, mnist_root: Path) -> None:
    flat = tmp_path / "flat"
    (mnist_root / "MNIST" / "raw").rename(flat)
    assert advice("mnist", flat).endswith(f"they belong in {flat}/MNIST/raw")


def test_the_advice_for_packed_files_in_place_unpacks_them(mnist_root: Path) -> None:
    pack(mnist_root / "MNIST" / "raw")
    text = advice("mnist", mnist_root)
    assert "still packed" in text
    follow(text)
    assert sources.find("mnist", str(mnist_root), download=False).train_images == 20


def test_the_advice_for_packed_files_elsewhere_puts_them_in_place(
    mnist_root: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "packed files"
    (mnist_root / "MNIST" / "raw").rename(flat)
    pack(flat)
    text = advice("mnist", flat)
    assert "still packed" in text
    follow(text)
    assert sources.find("mnist", str(flat), download=False).train_images == 20


def test_the_advice_for_cifar10s_archive_unpacks_it(cifar_root: Path, tmp_path: Path) -> None:
    other = tmp_path / "the archive"
    follow_for_archive(cifar_root / "cifar-10-batches-py", "cifar-10-python.tar.gz", other)
    assert sources.find("cifar10", str(other), download=False).kind == "files"


def test_a_damaged_mnist_file_is_found_before_anything_is_loaded(mnist_root: Path) -> None:
    path = mnist_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    text = advice("mnist", mnist_root)
    assert f"MNIST in {path.parent} is damaged: {path.name} is 7,855 B long, but 7,856 B" in text
    assert "--download" in text


def test_finding_a_source_needs_no_torch(modules_after: Callable[[str], set[str]]) -> None:
    find = "sources.find('mnist', None, download=False)"
    assert "torch" not in modules_after(f"from vramtop.trainer.data import sources; {find}")
