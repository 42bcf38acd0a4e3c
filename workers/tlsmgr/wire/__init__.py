"""Two protocols, bytes to messages and back, without any I/O."""
