"""The models, and one step of their training."""
