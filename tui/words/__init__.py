"""How things are said: names, units, sentences."""
