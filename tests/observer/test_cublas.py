"""cuBLAS's workspaces where PyTorch does not report their sizes."""

from __future__ import annotations

import pytest
import torch
from vramtop.observer.workspaces import by_rule, lt_bytes

MIB = 2**20


@pytest.mark.parametrize(
    ("config", "major", "expected"),
    [
        ("", 8, 8_519_680),
        ("", 9, 32 * MIB),
        ("", 12, 32 * MIB),
        (":4096:8", 8, 32 * MIB),
        (":4096:2:16:8", 9, 8_519_680),
        ("no such thing", 9, 32 * MIB),
    ],
)
def test_a_handles_workspace_follows_the_environment_and_the_device(
    config: str, major: int, expected: int
) -> None:
    assert by_rule({"CUBLAS_WORKSPACE_CONFIG": config}, major) == expected


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PyTorch that reports no workspace sizes."""
    monkeypatch.delattr(torch._C, "_cuda_getCublasLtWorkspaceSize", raising=False)


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, MIB),
        ({"CUBLASLT_WORKSPACE_SIZE": "128"}, 128 * 1024),
        ({"CUBLASLT_WORKSPACE_SIZE": "much"}, MIB),
        ({"TORCH_CUBLASLT_UNIFIED_WORKSPACE": "1"}, 0),
    ],
)
def test_in_an_older_pytorch_cublaslt_has_a_workspace_of_its_own(
    environment: dict[str, str], expected: int
) -> None:
    assert lt_bytes(environment) == expected


def test_in_a_newer_pytorch_it_shares_one_unless_the_environment_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch._C, "_cuda_getCublasLtWorkspaceSize", lambda: MIB, raising=False)
    assert lt_bytes({}) == 0
    assert lt_bytes({"TORCH_CUBLASLT_UNIFIED_WORKSPACE": "0"}) == MIB
