"""Loads the observer into a program that knows nothing of vramtop: from its folder, by its path.

The folder of this file stands in front of the program's PYTHONPATH. It holds nothing else that
could be imported. A Python that is too old for the observer can read this file.
"""

import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path

NAME = "_vramtop_observer"
FOLDER = Path(__file__).absolute().parents[2]


def at_import() -> None:
    """Called by torch when it is imported; an exception would end that import."""
    with suppress(Exception):
        load()
        importlib.import_module(NAME + ".program.entry").from_import()


def attach(folder: str) -> None:
    """Called in a thread of a running program; a failure is left in the folder of the sockets."""
    try:
        load()
        importlib.import_module(NAME + ".program.entry").from_attach(folder)
    except Exception as error:
        with suppress(OSError):
            new = Path(f"{folder}/{os.getpid()}.new")
            new.write_text(f"{type(error).__name__}: {error}")
            new.replace(new.with_suffix(".failed"))


def load() -> None:
    """Make the observer importable under its private name."""
    if NAME in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        NAME, str(FOLDER / "__init__.py"), submodule_search_locations=[str(FOLDER)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no observer in {FOLDER}")
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
