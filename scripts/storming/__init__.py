"""Many clients at once, and clients that do not read: see scripts/storm."""
