"""What one sees on the main screen, a module each."""
