"""Programs that are not ours: how they are started, entered and listened to."""
