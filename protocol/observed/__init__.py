"""What is said of a program that is not ours: the facts recorded inside it, and their result."""
