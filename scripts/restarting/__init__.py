"""The restart of the workers, one at a time: for scripts/rolling-restart."""
