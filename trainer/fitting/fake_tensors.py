"""PyTorch's fake tensors, which predictions for a CPU need, imported beside the training."""

from __future__ import annotations

from threading import Thread

import torch
from vramtop.observer.private import fake_tensor_mode


class FakeTensors:
    """Imports them in a thread, since they bring PyTorch's compiler, which takes seconds.

    `ready` says whether a prediction for `device` need not wait for that. On a GPU none does.
    """

    def __init__(self, device: torch.device) -> None:
        self._thread: Thread | None = None
        if device.type == "cpu":
            self._thread = Thread(target=fake_tensor_mode, daemon=True)
            self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether they are there, or not needed."""
        return self._thread is None or not self._thread.is_alive()
