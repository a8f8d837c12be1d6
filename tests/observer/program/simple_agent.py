"""An agent as simple as can be, which the connection's tests put in the place of the real one.

What is called in it is written to a file, whose path is in the environment.
"""

import os
import sys
from pathlib import Path

_LOG = "CALLS"  # of the environment


class Agent:
    """Says hello, and sends whatever a test puts into `sys.agent_sends`."""

    def __init__(self, send, *, since_start):
        self.send, self.since_start = send, since_start
        sys.agent, self.cuda_started = self, False
        self.note(f"made {since_start}")

    def note(self, text):
        if _LOG in os.environ:
            with Path(os.environ[_LOG]).open("a") as file:
                file.write(f"{os.getpid()} {text}\n")

    def hello(self):
        return {
            "type": "observed",
            "version": 4,
            "pid": os.getpid(),
            "host": "here",
            "program": Path(sys.argv[0] or "python").name,
            "arguments": sys.argv,
            "python": sys.version.split()[0],
            "torch": getattr(sys.modules.get("torch"), "__version__", "none"),
            "since_start": self.since_start,
        }

    def join(self):
        self.note("join")
        self.send({"type": "progress", "steps": 1, "watched": 0, "step_seconds": None,
                   "seconds": 1.0, "watching_seconds": 0.0})  # fmt: skip

    def leave(self):
        self.note("leave")

    def cuda_starts(self):
        self.cuda_started = True

    def end(self):
        self.note("end")
        self.send({"type": "progress", "steps": 2, "watched": 0, "step_seconds": None,
                   "seconds": 1.0, "watching_seconds": 0.0})  # fmt: skip

    def who(self, device, addresses):
        if device == "broken":
            raise ZeroDivisionError("a mistake of the observer's")
        holders = [[address, device] for address in addresses]
        self.send({"type": "holders", "device": device, "holders": holders})

    def forget(self):
        self.note("forget")
