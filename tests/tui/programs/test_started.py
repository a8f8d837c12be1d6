"""A command on a terminal of its own: what it prints, what it is asked, how it ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from heard import Heard
from vramtop.tui.programs.started import Started
from vramtop.tui.worker.link import AwaitsInput, Parted, WorkerLine

Run = Callable[..., Awaitable[tuple[Started, Heard]]]


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Starts a command, which is left when the test is over."""
    started: list[Started] = []

    async def start(*command: str) -> tuple[Started, Heard]:
        started.append(await Started(command, (91, 24)).start())
        return started[-1], Heard(started[-1])

    yield start
    for each in started:
        await each.close()


@pytest.mark.parametrize(
    ("code", "asks", "typed", "answer"),
    [
        ("print(input('name? ').upper())", "name?", "ann", "ANN"),
        ("a = 20; import pdb; pdb.set_trace(); print(a)", "(Pdb)", "p 2 * a + 2", "42"),
    ],
)
async def test_a_command_that_waits_for_input_says_so_and_is_answered(
    run: Run, code: str, asks: str, typed: str, answer: str
) -> None:
    link, heard = await run(sys.executable, "-c", code)
    # That it waits may be seen before what it has printed is read.
    await heard.until_all((WorkerLine, {"text": asks}), (AwaitsInput, {"waits": True}))
    assert link.type_line(typed)
    await heard.until(WorkerLine, text=answer)
    link.end(signal.SIGKILL)
    await heard.until(Parted)
    assert not link.type_line("too late")


async def test_a_command_that_only_sleeps_or_was_answered_does_not_wait_for_input(run: Run) -> None:
    code = "import time; input('go? '); print('gone', flush=True); time.sleep(60)"
    link, heard = await run("sh", "-c", f'{sys.executable} -c "{code}"; true')
    await heard.until(AwaitsInput, waits=True)
    assert link.type_line("")
    await heard.until_all((WorkerLine, {"text": "gone"}), (AwaitsInput, {"waits": False}))


async def test_a_command_prints_on_a_terminal_of_its_own_and_keeps_its_exit_code(run: Run) -> None:
    code = (
        "import os, sys; print(*map(os.isatty, range(3)), os.get_terminal_size()[0]);"
        "print('told', file=sys.stderr); sys.exit(7)"
    )
    link, heard = await run(sys.executable, "-c", code)
    await heard.until(WorkerLine, text="True True True 91")
    await heard.until(WorkerLine, text="told")
    parted = await heard.until(Parted, over=True, trouble=True)
    assert isinstance(parted, Parted)
    assert "has ended with exit code 7; no process of it worked with PyTorch" in parted.reason
    assert (link.code, [*link.lines]) == (7, ["True True True 91", "told"])


async def test_a_command_is_told_that_its_terminal_has_another_size(run: Run) -> None:
    code = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})\n"
        "print('ready')\nsignal.sigwait({signal.SIGWINCH})\n"
        "print(os.get_terminal_size()[0])"
    )
    link, heard = await run(sys.executable, "-c", code)
    await heard.until(WorkerLine, text="ready")
    link.resize((133, 40))
    assert await heard.until(WorkerLine) == WorkerLine("133")


async def test_a_command_that_is_left_is_asked_to_end(run: Run) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready')\n"
        "while True: time.sleep(0.01)"  # a signal that comes just before a sleep does not end it
    )
    link, heard = await run(sys.executable, "-c", code)
    await heard.until(WorkerLine, text="ready")
    await link.close()
    assert link.code == 5


async def test_a_command_that_a_signal_ends_has_the_exit_code_of_shells(run: Run) -> None:
    link, heard = await run(sys.executable, "-c", "print('ready'); import time; time.sleep(60)")
    await heard.until(WorkerLine, text="ready")
    link.end(signal.SIGKILL)
    await heard.until(Parted, over=True)
    assert link.code == 137


async def test_a_command_that_cannot_be_started_is_said_with_the_exit_code_of_shells(
    run: Run,
) -> None:
    link, heard = await run("/nowhere/at-all")
    await heard.until(Parted, reason="/nowhere/at-all: no such command", over=True)
    assert link.code == 127
