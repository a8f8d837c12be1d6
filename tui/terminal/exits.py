"""The command line's exit codes."""

FINE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
