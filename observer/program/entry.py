"""The ways in: at the import of torch, and into a program that runs already.

At the import nothing happens but that somebody waits for the program to work with PyTorch: for
CUDA's start, a module's first parameter, or an optimizer's first step. So launchers, compile
workers and workers that load data stay as they are.
"""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from .listening import default_folder

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from .agent import Agent
    from .connection import Connection

FOLDER = "VRAMTOP_SOCKETS"  # of the environment: where the sockets of programs lie
MONITOR = "VRAMTOP_MONITOR"  # the socket of the monitor that started this program


def from_import() -> None:
    """Observe this process from its first work with PyTorch on. Never raises."""
    with suppress(Exception):
        _way.wait()


def from_attach(folder: str) -> None:
    """Observe this process from now on; its socket lies in this folder.

    Raises `RuntimeError` where there is nothing to observe.
    """
    if "torch" not in sys.modules:
        raise RuntimeError("it has not imported torch")
    _way.begin(folder, since_start=False)


class _Way:
    """Begins to observe this process; once, unless the observer has removed itself."""

    def __init__(self) -> None:
        self._agent: Agent | None = None
        self._connection: Connection | None = None
        self._beginning = _thread.allocate_lock()
        self._handles: list[RemovableHandle] = []
        self._waited = False
        self._knows_forks = False

    def wait(self) -> None:
        """Begin at the first work with PyTorch."""
        from ..private_cuda import when_cuda_starts

        self._waited = True
        when_cuda_starts(self._cuda_starts)
        self._wait_for_modules()

    def begin(self, folder: str, monitor: str = "", *, since_start: bool) -> None:
        """Begin now. Where that has happened, see that the socket is still there."""
        if not self._beginning.acquire(blocking=False):
            return  # another thread begins
        try:
            if self._connection is not None and not self._connection.closed:
                self._connection.listen_again()
                return
            from .agent import Agent
            from .connection import Connection

            def agent(send: Callable[[dict[str, object]], None]) -> Agent:
                self._agent = Agent(send, since_start=since_start)
                return self._agent

            self._connection = Connection(agent, folder, monitor)
            if not self._knows_forks:
                self._knows_forks = True
                os.register_at_fork(
                    before=self._before_fork,
                    after_in_parent=self._after_fork,
                    after_in_child=self._in_child,
                )
            self._connection.start()
            # So that the first steps are watched, however short the program is.
            self._connection.wait()
        finally:
            self._beginning.release()

    def _wait_for_modules(self) -> None:
        from torch.nn.modules.module import register_module_parameter_registration_hook
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        self._handles = [
            register_module_parameter_registration_hook(self._works),
            register_optimizer_step_pre_hook(self._works),
        ]

    def _works(self, *_: object) -> None:
        """The program works with PyTorch. Called by torch, so it must not raise."""
        import torch

        if torch.compiler.is_compiling():
            return
        with suppress(Exception):
            self._handles = [handle for handle in self._handles if not _removed(handle)]
            if self._connection is None and not _is_helper():
                folder = os.environ.get(FOLDER) or default_folder()
                self.begin(folder, os.environ.get(MONITOR, ""), since_start=True)

    def _cuda_starts(self) -> None:
        """The program works with CUDA, and has allocated nothing there."""
        self._works()
        with suppress(Exception):
            if self._agent is not None:
                self._agent.cuda_starts()

    def _before_fork(self) -> None:
        """The program forks. An error here would be shown to it."""
        with suppress(Exception):
            if self._agent is not None:
                self._agent.forking.before()

    def _after_fork(self) -> None:
        with suppress(Exception):
            if self._agent is not None:
                self._agent.forking.after()

    def _in_child(self) -> None:
        """A forked child is another program, or a helper of this one."""
        with suppress(Exception):
            connection, self._connection, self._agent = self._connection, None, None
            self._beginning = _thread.allocate_lock()
            if connection is not None:
                connection.forget()
            if self._waited and not self._handles:
                self._wait_for_modules()


def _removed(handle: RemovableHandle) -> bool:
    """Remove a hook, if that is possible while torch may be calling it.

    Torch goes through its dictionary of hooks, from which only the last may be taken meanwhile.
    """
    hooks = handle.hooks_dict_ref()
    if hooks is not None and next(reversed(hooks), None) != handle.id:
        return False
    handle.remove()
    return True


def _is_helper() -> bool:
    """Whether this process is one of those that multiprocessing ends with their parent.

    Workers that load data are such; the ranks of a training are not.
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(process.current_process().daemon)


_way = _Way()
