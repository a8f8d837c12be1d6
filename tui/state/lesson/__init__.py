"""What only the lesson has in the state: settings, batch sizes, tests, searches, comparisons."""
