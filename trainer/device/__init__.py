"""The device, its allocator, and the memory that a training may use."""
