"""Many hosts, one mail system: each a network namespace with a Postfix and workers of its own."""
