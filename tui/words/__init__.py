"""The words of the screen and of what prints: names, units, sentences."""
