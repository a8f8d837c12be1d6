"""What the terminal can show, and the standard streams."""
