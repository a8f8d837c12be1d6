"""Runs one of the programs, observed, in a child of a process that has imported torch."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import torch
from running import Run


def run(program: str, device: str, result: str) -> None:
    """Run it to its end, and write what was observed and counted."""
    module, _, name = program.rpartition(".")
    torch.manual_seed(0)
    running = Run(torch.device(device))
    try:
        getattr(importlib.import_module(module), name)(running)
    finally:
        running.leave()
    told = {"messages": running.messages, "counted": running.counted, "said": running.said}
    Path(result).write_text(json.dumps(told))
