"""The panels of the screens, a module for each."""
