"""What the keys ask of the training: the commands that are sent, or why none is. No screen here."""
