"""The guided tour: its steps, and who leads through them."""
