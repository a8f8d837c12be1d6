"""The worker process, as the rest of the monitor sees it."""
