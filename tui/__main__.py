"""`python -m vramtop.tui` is the command `vramtop`."""

import sys

from .cli import main

sys.exit(main())
