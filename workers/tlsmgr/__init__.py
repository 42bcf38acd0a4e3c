"""TLS session cache, session ticket key and PRNG manager for mail servers."""
