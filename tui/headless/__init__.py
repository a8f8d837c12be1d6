"""What prints instead of drawing a screen."""
