"""The guided tour: its steps, the guide through them, and the strip that shows them."""
