"""The parts of the screens: what one sees, a module for each."""
