"""Building the simulated GPU, and the reasons why a machine cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import build
import pytest


@pytest.mark.usefixtures("simgpu")
def test_of_two_that_build_at_once_one_does_and_both_know_where(tmp_path, monkeypatch):
    compiler = tmp_path / "gcc"
    compiler.write_text(f'#!/bin/sh\necho >> {tmp_path}/called; exec {shutil.which("gcc")} "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cache = tmp_path / "cache"
    command = [sys.executable, build.__file__, str(cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0].strip() for process in both}
    assert said == {str(folder) for folder in cache.iterdir() if folder.is_dir()}
    assert len((tmp_path / "called").read_text()) == 3
    assert {file.name for file in build.build(cache).iterdir()} == {
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
