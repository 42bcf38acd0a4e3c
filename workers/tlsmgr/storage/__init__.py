"""Session caches on disk: the only code that knows diskcache."""
