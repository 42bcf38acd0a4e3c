"""What answers a request: session caches, seeds and ticket keys in memory."""
