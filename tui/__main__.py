"""`python -m vramtop.tui` is the command `vramtop`."""

import sys

from vramtop.tui.cli.main import main

sys.exit(main())
