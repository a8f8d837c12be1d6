"""Faults that an honest mistake would make, for `plant.py`.

Each quotes a passage of the code. A change of that passage changes it here too; a test checks it.
"""

from __future__ import annotations

from .commands import COMMANDS
from .denials import DENIALS
from .fault import Fault
from .figures import FIGURES
from .gpu_screen import GPU_SCREEN
from .gpus import GPUS
from .inside import INSIDE
from .monitor import MONITOR
from .programs import PROGRAMS
from .reports import REPORTS
from .safety import SAFETY
from .screen import SCREEN
from .splits import SPLITS
from .terminal import TERMINAL
from .worker import WORKER

FAULTS: tuple[Fault, ...] = (
    *WORKER,
    *FIGURES,
    *MONITOR,
    *GPUS,
    *GPU_SCREEN,
    *PROGRAMS,
    *REPORTS,
    *COMMANDS,
    *SCREEN,
    *SPLITS,
    *SAFETY,
    *DENIALS,
    *INSIDE,
    *TERMINAL,
)
