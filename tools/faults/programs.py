"""Faults of the ways into a program, and of the connection with it."""

from __future__ import annotations

from .fault import Fault

_CONNECTION = ("tests/observer/program/test_connection.py",)
_ENTRY = ("tests/observer/program/test_entry.py",)
_LISTENING = ("tests/observer/program/test_listening.py",)
_CONTAINER = ("tests/tui/programs/test_container.py",)
_INJECT = ("tests/tui/programs/test_inject.py",)
_GDB = ("tests/tui/programs/test_gdb.py",)
_LAUNCH = ("tests/tui/programs/test_launch.py",)
_VIEWER = ("tests/tui/programs/test_viewer.py",)

PROGRAMS = (
    Fault(
        "an unread step stays beside a newer one",
        "observer/program/viewer.py",
        'return message.get("device"), message.get("kind")',
        "return object()",
        _CONNECTION,
    ),
    Fault(
        "a monitor that reads nothing is never let go",
        "observer/program/viewer.py",
        "if len(self._unread) > _UNREAD:",
        "if False:",
        _CONNECTION,
    ),
    Fault(
        "any user may watch",
        "observer/program/viewer.py",
        "return _CREDENTIALS.unpack(credentials)[1] in (mine, 0)",
        "return True",
        _LISTENING,
    ),
    Fault(
        "a monitor of another version may watch",
        "observer/program/connection.py",
        'if version != self._agent.hello()["version"]:',
        "if False:",
        _CONNECTION,
    ),
    Fault(
        "a forked child keeps the sockets open",
        "observer/program/connection.py",
        "                end.close()\n        self._viewers, self._listening = [], None\n"
        "        self._sent.clear()\n        self._agent.forget()",
        "                pass\n        self._agent.forget()",
        _LISTENING,
    ),
    Fault(
        "the connection's thread takes signals",
        "observer/program/connection.py",
        "signal.valid_signals() - crashes",
        "()",
        _LISTENING,
    ),
    Fault(
        "the socket's file stays when the program has ended",
        "observer/program/connection.py",
        "Path(self._path).unlink()",
        "pass",
        _CONNECTION,
    ),
    Fault(
        "any folder will do for sockets",
        "observer/program/listening.py",
        "found.st_mode & 0o077",
        "False",
        _LISTENING,
    ),
    Fault(
        "workers that load data are observed",
        "observer/program/entry.py",
        "self._connection is None and not _is_helper()",
        "self._connection is None",
        _ENTRY,
    ),
    Fault(
        "a hook is removed while torch goes through them",
        "observer/program/entry.py",
        "        return False\n    handle.remove()",
        "        pass\n    handle.remove()",
        _ENTRY,
    ),
    Fault(
        "a forked rank is not observed",
        "observer/program/entry.py",
        "if self._waited and not self._handles:",
        "if False:",
        _ENTRY,
    ),
    Fault(
        "a broken observer ends the program's work",
        "observer/program/entry.py",
        "        with suppress(Exception):\n            self._handles = [",
        "        if True:\n            self._handles = [",
        _ENTRY,
    ),
    Fault(
        "an error of the line that enters is raised in the program",
        "tui/programs/inject.py",
        '        "except Exception: pass\\n"\n    )\n    return',
        '        "finally: pass\\n"\n    )\n    return',
        _INJECT,
    ),
    Fault(
        "a process is entered in one place only",
        "tui/programs/inject.py",
        "for where in debugger.places:",
        "for where in debugger.places[:1]:",
        _INJECT,
    ),
    Fault(
        "gdb is not tried before it enters a process",
        "tui/programs/gdb.py",
        "if _can_write(command):",
        "if True:",
        _GDB,
    ),
    Fault(
        "a gdb that keeps no vector registers calls anywhere",
        "tui/programs/gdb.py",
        "(Where.LETTING_GO, Where.WORKING)",
        "(Where.ANYWHERE, Where.WORKING)",
        _GDB,
    ),
    Fault(
        "a gdb that can never write is used",
        "tui/programs/gdb.py",
        "        if not _can_write(command):",
        "        if False:",
        _GDB,
    ),
    Fault(
        "a container's program is given a path of ours",
        "tui/programs/inject.py",
        'return Path(f"{target.root}{observer}").samefile(observer)',
        "return True",
        _CONTAINER,
    ),
    Fault(
        "a container keeps its copy of the observer",
        "tui/programs/inject.py",
        "shutil.rmtree(copy, ignore_errors=True)",
        "pass",
        _CONTAINER,
    ),
    Fault(
        "the socket of a killed monitor stays",
        "tui/programs/sockets.py",
        "int(pid) not in alive",
        "False",
        _LAUNCH,
    ),
    Fault(
        "the user's own PYTHONPATH is lost",
        "tui/programs/launch.py",
        '[str(AUTOLOAD), *filter(None, [given.get("PYTHONPATH")])]',
        "[str(AUTOLOAD)]",
        _LAUNCH,
    ),
    Fault(
        "signals are not passed on",
        "tui/programs/launch.py",
        "os.kill(process.pid, number)",
        "pass",
        _LAUNCH,
    ),
    Fault(
        "a program of another version is watched",
        "tui/programs/viewer.py",
        "if greeting.version != VERSION:",
        "if False:",
        _VIEWER,
    ),
    Fault(
        "the file of a socket that nobody has is left",
        "tui/programs/sockets.py",
        "                path.unlink()",
        "                pass",
        _VIEWER,
    ),
)
