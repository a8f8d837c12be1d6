"""What only the lesson's worker says and is told: settings, images, searches, comparisons."""
