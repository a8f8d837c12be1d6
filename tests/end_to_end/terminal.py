"""The installed command behind a pseudo-terminal."""

import os
import re
import signal
import time

import pexpect
import psutil
import pyte
from command import VRAMTOP
from recorded_monitor import PROGRAM

TIMEOUT_SECONDS = 60
MEASURED = r"Activations +\S+ +\S+ +37\.0"
opened = []  # closed after each test
_SHOWN = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}


class Terminal:
    """A terminal of a given size with the monitor in it; `shown` describes what it can show.

    `program` runs instead of the monitor. The signals that it is `deaf_to` never reach it.
    """

    def __init__(
        self,
        columns,
        lines,
        *arguments,
        program=VRAMTOP,
        environment=None,
        shown=None,
        deaf_to=(),
    ):
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            program,
            list(arguments),
            dimensions=(lines, columns),
            timeout=TIMEOUT_SECONDS,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, deaf_to),
            env={
                **(environment or {"PATH": "", "HOME": "."}),
                "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
                **(shown or _SHOWN),
            },
        )
        self.raw = b""
        opened.append(self)

    def text(self):
        """The screen."""
        return "\n".join(self.screen.display)

    def wait_for(self, pattern):
        """Read what is drawn until the screen shows the pattern."""
        self.read_until(lambda: re.search(pattern, self.text()), f"no {pattern!r}")

    def read_until(self, seen, lacking):
        """Read what is drawn until this is true; `lacking` says what was not there."""
        latest = time.monotonic() + TIMEOUT_SECONDS
        while not seen():
            assert time.monotonic() < latest, f"{lacking} in:\n{self.text()}"
            try:
                self._read()
            except pexpect.EOF as error:
                self.child.close()
                how = f"exit code {self.child.exitstatus}, signal {self.child.signalstatus}"
                text = f"ended with {how}, and {lacking} in:\n{self.text()}"
                raise AssertionError(f"{text}\n{self.raw[-2000:]!r}") from error

    def wait_until_measured(self):
        """Wait until the screen shows a settled step of a batch of 64."""
        self.wait_for(MEASURED)

    def worker(self):
        """The only process that the program has started."""
        (worker,) = psutil.Process(self.child.pid).children(recursive=True)
        return worker

    def quit(self, keys="q"):
        """Press these keys, and see that the program ends well."""
        self.child.send(keys)
        assert self.ended() == 0

    def _read(self):
        try:
            data = self.child.read_nonblocking(65_536, TIMEOUT_SECONDS)
        except pexpect.TIMEOUT as error:
            raise AssertionError(f"nothing new in:\n{self.text()}") from error
        self.raw += data
        self._stream.feed(data)

    def read_to_end(self):
        """Read all that is drawn until the program ends."""
        try:
            while True:
                self._read()
        except pexpect.EOF:
            pass

    def ended(self):
        """The exit code, once the program has ended; negative for a signal."""
        self.read_to_end()
        self.child.close()
        return self.child.exitstatus


def recorded(columns, lines, *arguments, **options):
    """A terminal with the monitor on a worker that repeats a recorded session."""
    program, *first = PROGRAM
    return Terminal(columns, lines, *first, *arguments, program=program, **options)


def close_all():
    """Close what a test has opened; what still runs there is killed."""
    while opened:
        child = opened.pop().child
        if not child.closed:
            child.close(force=True)


def close(terminal):
    """Close the terminal itself, by its owner, and keep others from closing its number again."""
    terminal.child.ptyproc.fileobj.close()
    terminal.child.closed = terminal.child.ptyproc.closed = True


def running_still(processes):
    """Which of them run after time enough to end; one that nobody has waited for has ended."""
    _, alive = psutil.wait_procs(processes, TIMEOUT_SECONDS)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
