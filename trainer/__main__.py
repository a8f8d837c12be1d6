"""The worker process: `python -m vramtop.trainer --socket FD --parent PID`.

Messages go over the inherited socket; printed text goes to the log. The process ends on a `Stop`,
when the other end of the socket closes, or when its parent dies.
"""

from __future__ import annotations

import argparse
import gc
import os
import queue
import socket
import sys
import threading
import traceback
from typing import TypeAlias

from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import VERSION, Failed, Hello
from vramtop.protocol.wire.framing import ProtocolError, ToWorker, encode, to_worker
from vramtop.trainer.session.outbox import Outbox

from .device import alloc_conf
from .parent import die_with

_RECEIVE_BYTES = 65_536
# Threads that gather batches for a GPU. A waiting thread keeps its core busy, and on an H200 with
# 16 cores more threads gained nothing at any batch size.
_GATHERERS = 4

Inbox: TypeAlias = "queue.SimpleQueue[ToWorker | None]"


def main() -> int:
    """Run one session; the exit code is 0 after a stop, 2 for wrong settings, 1 for a failure."""
    parser = argparse.ArgumentParser(prog="vramtop.trainer", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="inherited file descriptor")
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    text = "where snapshots go: inherited file descriptors"
    parser.add_argument("--shelf", type=int, nargs=3, help=text)
    arguments = parser.parse_args()
    die_with(arguments.parent)
    connection = socket.socket(fileno=arguments.socket)
    connection.setblocking(True)  # a parent with a default timeout passes it on non-blocking
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    start = inbox.get()
    if not isinstance(start, Start):
        return 1
    outbox = Outbox(patient=start.every_step, began=start.began)
    writer = threading.Thread(target=_write, args=(connection, outbox, inbox), daemon=True)
    writer.start()
    try:
        shelf = Shelf(arguments.shelf) if arguments.shelf else None
        code = _train(start, outbox, inbox, shelf)
    except Exception as error:
        refused = alloc_conf.refusal(os.environ, error)
        if refused is None:
            traceback.print_exc()
        text = refused or f"{type(error).__name__}: {error}"
        outbox.post(Failed(text, usage=refused is not None))
        code = 2 if refused else 1
    outbox.close()
    writer.join()
    return code


def _train(start: Start, outbox: Outbox, inbox: Inbox, shelf: Shelf | None) -> int:
    """The session, from hello to its end."""
    if start.version != VERSION:
        outbox.post(
            Failed(f"the worker speaks protocol {VERSION}, not {start.version}", usage=False)
        )
        return 1
    # The import takes seconds, so it comes after the socket's reader has started. It makes a
    # million objects that stay; collecting garbage among them would take a fifth of its time.
    gc.disable()
    if not start.train:
        from vramtop.trainer.session.estimator import estimate

        return estimate(start, outbox, inbox)
    # The allocator prints a warning at each out-of-memory, which a message already reports.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        alloc_conf.check(os.environ)
    except SettingError as error:
        outbox.post(Failed(str(error), usage=True))
        return 2
    import torch
    from vramtop.trainer.device.memory_errors import is_out_of_memory
    from vramtop.trainer.session.session import Session
    from vramtop.trainer.session.snapshots import CannotKeep

    from .data import datasets
    from .device import devices

    gc.freeze()
    gc.enable()
    settings, name = start.settings, start.settings.device
    try:
        device = devices.resolve(name, start.free)
        name = str(device)
        outbox.stamp.choose_device(name)
        # One core is left to the monitor: at every operator threads wait for each other, so one
        # thread that shares its core slows all of them.
        spare = max(1, torch.get_num_threads() - 1)
        torch.set_num_threads(spare if device.type == "cpu" else min(spare, _GATHERERS))
        described = devices.describe(device, settings.device)
        outbox.post(Hello(VERSION, os.getpid(), str(torch.__version__), described))
        devices.take(device)
        library = datasets.Library(settings.data_dir)
        session = Session(
            start, device, library.load, outbox, inbox, shelf=shelf, described=described
        )
    except CannotKeep as error:
        outbox.post(Failed(str(error), usage=False))
        return 1
    except (SettingError, datasets.DataError) as error:
        outbox.post(Failed(str(error), usage=True))
        return 2
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        outbox.post(Failed(f"{name} has no room for the model: {reason}", usage=False))
        return 1
    session.run()
    return 0


def _read(connection: socket.socket, inbox: Inbox) -> None:
    """Put commands from the socket into the inbox, and None when no more can come."""
    decoder = to_worker()
    try:
        while data := connection.recv(_RECEIVE_BYTES):
            for command in decoder.feed(data):
                inbox.put(command)
    except (OSError, ProtocolError) as error:
        print(f"commands: {error}", file=sys.stderr)  # noqa: T201 - the log panel shows it
    inbox.put(None)


def _write(connection: socket.socket, outbox: Outbox, inbox: Inbox) -> None:
    """Send messages from the outbox until it is closed or the socket has no reader."""
    try:
        while envelopes := outbox.take():
            connection.sendall(b"".join(map(encode, envelopes)))
    except OSError:
        pass  # the monitor is gone
    finally:
        outbox.close()
        inbox.put(None)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing is left to send or save, and torch would take seconds to shut down.
    os._exit(code)
