"""Private servers to rehearse on: what the tests and the scripts that measure and torment have in common."""
