"""Messages and commands of the lesson's worker: settings, images, searches, comparisons."""
