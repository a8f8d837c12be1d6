"""What is on each screen: the main one, and those over it."""
