"""Lets the workers run under a mixed load, and watches what they hold."""
