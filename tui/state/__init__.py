"""Messages folded into the facts that the screen shows."""
