"""What the keys ask of the training: which commands they send, or why none. Without a screen."""
