"""Programs that are observed run in children of one process, which has imported torch already."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite("forked")

from forked import Forks, Observed  # noqa: E402


@pytest.fixture(scope="session")
def forks(simgpu, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with closing(Forks(simgpu.environment(), tmp_path_factory.mktemp("programs"))) as started:
        yield started


@pytest.fixture(scope="session")
def forks_without_gpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with closing(Forks(dict(os.environ), tmp_path_factory.mktemp("programs"))) as started:
        yield started


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[[str, str], Observed]:
    """Runs a program by its name, as "loops.plain", on a device; the real observer watches it."""

    def run(program: str, device: str) -> Observed:
        return request.getfixturevalue("forks").run(program, device)

    return run
