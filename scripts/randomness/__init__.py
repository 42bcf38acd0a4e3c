"""Statistical tests of the pool's output: see scripts/randomness-report."""
