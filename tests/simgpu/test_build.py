"""Building the simulated GPU, and the reasons why a machine cannot."""

from __future__ import annotations

import subprocess
import sys

import build
import pytest


@pytest.mark.usefixtures("simgpu")
def test_two_that_build_at_once_agree_on_one_folder(tmp_path):
    command = [sys.executable, build.__file__, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0].strip() for process in both}
    assert said == {str(folder) for folder in tmp_path.iterdir()}
    assert {file.name for file in build.build(tmp_path).iterdir()} == {
        "libsimcuda.so",
        "libcuda.so.1",
        "libnvidia-ml.so.1",
    }


def test_without_a_compiler_the_reason_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.CannotBuildError, match="there is no gcc"):
        build.build(tmp_path)


def test_on_another_system_the_reason_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(build.CannotBuildError, match="what is simulated is Linux"):
        build.build(tmp_path)


@pytest.mark.usefixtures("simgpu")
@pytest.mark.parametrize(
    ("cuda", "reason"),
    [
        (None, "built without CUDA"),
        ("12.8", "built for CUDA 12.8; what is simulated is CUDA 13"),
        ("13.0", "the CUDA header cuda_runtime_api.h is missing"),
    ],
)
def test_an_unsuitable_torch_is_named_as_the_reason(tmp_path, monkeypatch, cuda, reason):
    (tmp_path / "version.py").write_text(f"cuda = {cuda!r}")
    monkeypatch.setattr(build, "package_folder", lambda _: tmp_path)
    with pytest.raises(build.CannotBuildError, match=reason):
        build.build(tmp_path)
