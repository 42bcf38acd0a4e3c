"""The store that the hosts of a farm share: a Redis or Valkey server that somebody else runs."""
