"""The connection to the monitors: one thread, which the program neither sees nor waits for.

The thread is none of `threading`'s: a program that counts or joins its threads does not find it.
It ends with the process, and handles no signals.
"""

from __future__ import annotations

import _thread
import atexit
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from .frames import encode
from .listening import dial, listen
from .viewer import Lost, Viewer, is_trusted

LAST_SECONDS = 0.2  # how long the last messages may take, when the process ends
LAST_STEP_SECONDS = 2.0  # the same where no watched step was sent before, or memory ran out
ANSWER_SECONDS = 0.5  # how long a program waits for the monitor that has started it
_MOST_VIEWERS = 16
_PAUSE_SECONDS = 1.0

_Message: TypeAlias = dict[str, object]
# Errors of the program itself; a thread that blocks them would hide its crash.
_CRASHES = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}


class Agent(Protocol):
    """What records the program, as the connection sees it."""

    def hello(self) -> _Message:
        """Who the program is."""
        ...

    def join(self) -> None:
        """Somebody watches from now on."""
        ...

    def leave(self) -> None:
        """Nobody watches any more."""
        ...

    def who(self, device: str, addresses: list[int]) -> None:
        """Tell who holds the memory at these addresses, soon."""
        ...

    def end(self) -> None:
        """The process ends: send what is not sent yet."""
        ...

    def forget(self) -> None:
        """In a forked child: let go of everything."""
        ...


_MakeAgent: TypeAlias = Callable[[Callable[[_Message], None]], Agent]


class Connection:
    """Connects an agent with all monitors that come.

    It listens in `folder`, and calls the monitor that waits at `monitor` itself; both may be empty.
    """

    def __init__(self, make_agent: _MakeAgent, folder: str, monitor: str = "") -> None:
        self.closed = False
        self._folder, self._monitor = folder, monitor
        self._pid = os.getpid()
        self._viewers: list[Viewer] = []
        self._listening: socket.socket | None = None
        self._path = ""
        self._watched = self._steps_sent = False
        self._ending = False
        self._ran_out = False  # of memory: the program may end before that is told
        self._listen_again = False
        self._sent: deque[_Message] = deque()
        self._latest: dict[tuple[object, object], _Message] = {}  # steps by device and kind
        # Never closed: another thread may be about to write, and the number could be a new file's.
        self._woken, self._waking = socket.socketpair()
        self._woken.setblocking(False)
        self._waking.setblocking(False)
        self._finished, self._answered = _thread.allocate_lock(), _thread.allocate_lock()
        self._finished.acquire()
        self._answered.acquire()
        self._agent = make_agent(self.send)

    def start(self) -> None:
        """Start the thread; raises `RuntimeError` where none can be."""
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self.closed = True
            raise
        atexit.register(self.end)

    def wait(self) -> None:
        """Wait a moment until the monitor that is called watches, or until it is known not to."""
        if self._monitor:
            self._answered.acquire(timeout=ANSWER_SECONDS)

    def send(self, message: _Message) -> None:
        """Send a message to all who watch. Any thread may call this; it never waits."""
        if not self.closed:
            self._ran_out = self._ran_out or message.get("type") == "out_of_memory"
            self._sent.append(message)
            self._wake()

    def listen_again(self) -> None:
        """Make sure that the socket's file is there: somebody may have cleaned up."""
        self._listen_again = True
        self._wake()

    def end(self) -> None:
        """Say that the process ends, and wait a moment until that is written."""
        if os.getpid() == self._pid and not self.closed:
            self._ending = True
            self._wake()
            sent = not self._ran_out and (self._steps_sent or not self._watched)
            self._finished.acquire(timeout=LAST_SECONDS if sent else LAST_STEP_SECONDS)

    def forget(self) -> None:
        """In a forked child: let go of everything, and say nothing.

        Nothing is waited for and no lock is taken, since the thread is not in the child.
        """
        self.closed = True
        atexit.unregister(self.end)
        for end in (*self._viewers, self._listening, self._woken, self._waking):
            if end is not None:
                end.close()
        self._viewers, self._listening = [], None
        self._sent.clear()
        self._agent.forget()

    def _wake(self) -> None:
        with suppress(OSError):  # it is full, so the thread will wake anyway
            self._waking.send(b"\0")

    # ---- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            _block_signals()
            self._listen()
            self._dial()
            while not self.closed:
                self._turn()
        except BaseException as error:
            self._last({"type": "removed", "reason": _in_a_line(error)})
        finally:
            self._let_go()
            self._finished.release()

    def _listen(self) -> None:
        if self._folder and not (self._path and Path(self._path).is_socket()):
            if self._listening is not None:
                self._listening.close()
            self._listening, self._path = listen(self._folder)

    def _dial(self) -> None:
        if self._monitor:
            try:
                self._welcome(dial(self._monitor))
            except OSError:  # that monitor has gone; others may come
                self._let_go()

    def _turn(self) -> None:
        """Wait until there is something to do, and do it."""
        waiting = select.poll()
        waiting.register(self._woken, select.POLLIN)
        if self._listening is not None:
            waiting.register(self._listening, select.POLLIN)
        for viewer in self._viewers:
            waiting.register(viewer, select.POLLIN | (select.POLLOUT if viewer.waiting else 0))
        ready = dict(waiting.poll())
        if self._woken.fileno() in ready:
            self._pass_on()
        if self._listening is not None and self._listening.fileno() in ready:
            self._accept(self._listening)
        for viewer in list(self._viewers):
            happened = ready.get(viewer.fileno(), 0)
            with self._unless_lost(viewer):
                if happened & select.POLLOUT:
                    viewer.write()
                if happened & ~select.POLLOUT:
                    for question in viewer.questions():
                        self._answer(viewer, question)
        if self._ending and not self.closed:
            self._agent.end()
            self._pass_on()
            self._last({"type": "ended"})

    def _pass_on(self) -> None:
        """Give all viewers who watch what the agent sent."""
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        if self._listen_again:
            self._listen_again = False
            self._listen()
        while self._sent:
            message = self._sent.popleft()
            if message.get("type") == "watched_step":
                self._steps_sent = True
                self._latest[message["device"], message["kind"]] = message
            if message.get("type") == "removed":
                self._last(message)
                return
            watching = [viewer for viewer in self._viewers if viewer.watching]
            if watching:
                self._write(message, watching)

    def _accept(self, listening: socket.socket) -> None:
        try:
            link, _ = listening.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(_PAUSE_SECONDS)  # the process has too many files open
            return
        self._welcome(link)

    def _welcome(self, link: socket.socket) -> None:
        if len(self._viewers) == _MOST_VIEWERS or not is_trusted(link, os.geteuid()):
            link.close()
            return
        viewer = Viewer(link)
        self._viewers.append(viewer)
        self._write(self._agent.hello(), [viewer])

    def _answer(self, viewer: Viewer, question: _Message) -> None:
        """Do what a viewer asks; raises `Lost` where that is nothing known."""
        match question:
            case {"type": "watch", "version": version}:
                if version != self._agent.hello()["version"]:
                    raise Lost
                self._watch(viewer, True)
            case {"type": "who", "device": str(device), "addresses": [*addresses]}:
                whole = [address for address in addresses if isinstance(address, int)]
                if len(whole) < len(addresses):
                    raise Lost
                self._agent.who(device, whole)
            case _:
                raise Lost

    def _watch(self, viewer: Viewer, watching: bool) -> None:
        """Let the agent come with the first who watches, and go with the last."""
        viewer.watching = watching
        now = any(each.watching for each in self._viewers)
        if now != self._watched:
            self._watched = now
            self._latest.clear()
            (self._agent.join if now else self._agent.leave)()
        elif watching:
            # The next step may be watched only after a while.
            for message in self._latest.values():
                self._write(message, [viewer])
        self._let_go()

    def _let_go(self) -> None:
        """End the wait for the monitor's answer."""
        if self._answered.locked():
            self._answered.release()

    def _write(self, message: _Message, viewers: list[Viewer]) -> None:
        frame = encode(message)
        for viewer in viewers:
            with self._unless_lost(viewer):
                viewer.add(message, frame)
                viewer.write()

    @contextmanager
    def _unless_lost(self, viewer: Viewer) -> Iterator[None]:
        try:
            yield
        except Lost:
            if viewer in self._viewers:
                self._viewers.remove(viewer)
                viewer.close()
                self._watch(viewer, False)

    def _last(self, message: _Message) -> None:
        """Say this to everybody, remove the agent and close everything."""
        self.closed = True
        with suppress(Exception):
            frame, until = encode(message), time.monotonic() + LAST_SECONDS
            for viewer in self._viewers:
                with suppress(Lost):
                    viewer.add(message, frame)
                    _write_all(viewer, until)
        for end in (*self._viewers, self._listening):
            if end is not None:
                end.close()
        self._viewers, self._listening = [], None
        self._sent.clear()
        if self._path:
            with suppress(OSError):
                Path(self._path).unlink()
        if not self._ending:
            with suppress(Exception):
                self._agent.leave()


def _write_all(viewer: Viewer, until: float) -> None:
    """Write what is unread, up to this time."""
    waiting = select.poll()
    waiting.register(viewer, select.POLLOUT)
    while viewer.waiting and (left := until - time.monotonic()) > 0:
        waiting.poll(left * 1000)
        viewer.write()


def _block_signals() -> None:
    """Let this thread receive none: the program's handlers run where they ran before."""
    crashes = {getattr(signal, name) for name in _CRASHES if hasattr(signal, name)}
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - crashes)


def _in_a_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
