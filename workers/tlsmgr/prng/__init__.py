"""The random number generator: its pool, its entropy sources, its exchange file."""
