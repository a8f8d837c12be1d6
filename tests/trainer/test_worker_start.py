"""The worker process before its session begins."""

from __future__ import annotations

import gc
import queue
from collections.abc import Callable, Iterator

import pytest
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import VERSION
from vramtop.trainer import __main__ as worker
from vramtop.trainer.session import session
from vramtop.trainer.session.outbox import Outbox


@pytest.fixture
def _collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("_collector")
def test_garbage_is_collected_again_once_all_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []

    class Session:
        def __init__(self, *_: object, **__: object) -> None:
            seen.append((gc.isenabled(), gc.get_freeze_count()))

        def run(self) -> None:
            pass

    monkeypatch.setattr(session, "Session", Session)
    before = gc.get_freeze_count()
    start = Start(VERSION, Settings(device="cpu"))
    assert worker._train(start, Outbox(patient=False), queue.SimpleQueue(), None) == 0
    ((enabled, frozen),) = seen
    assert enabled
    assert frozen > before + 100_000  # imported objects are no longer collected


def test_torch_is_not_imported_before_the_allocators_configuration_is_checked(
    modules_after: Callable[[str], set[str]],
) -> None:
    assert "torch" not in modules_after("import vramtop.trainer.__main__")


def test_a_training_imports_neither_pytorchs_compiler_nor_torchvision(
    modules_after: Callable[[str], set[str]],
) -> None:
    """Each would take a second, and neither is needed for the digits that ship."""
    imported = modules_after(
        "import torch\n"
        "from vramtop.protocol.lesson.settings import Settings\n"
        "from vramtop.trainer.data.datasets import Library\n"
        "from vramtop.trainer.training.training import Training\n"
        "settings = Settings(device='cpu')\n"
        "training = Training(settings, Library(None).load('mnist'), torch.device('cpu'))\n"
        "training.step(64, training.ledger.record())\n"
        "training.restore(training.snapshot(settings))\n"
        "training.step(64, training.ledger.record())"
    )
    assert "torch.optim.adam" in imported
    assert not imported & {"torch._dynamo", "torchvision"}
