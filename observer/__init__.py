"""Records what a training allocates, from inside its process. The standard library and torch."""
