"""The lesson's part of the state: settings, batch sizes, evaluations, searches, comparisons."""
