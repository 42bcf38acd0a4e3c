"""A sweep of a full store, while clients use it."""
