"""Which batch size fits: by prediction, and proved by real steps."""
