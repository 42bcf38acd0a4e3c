"""A farm of hosts as values: what scripts/simulate-farm does."""
