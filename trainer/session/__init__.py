"""A training session: its loop, the commands it obeys, what it reports."""
