"""Messages and commands between a worker and the monitor. No torch, no screen."""
