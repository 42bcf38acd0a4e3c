"""What goes on and on in the background, and must not end by a defect that nobody sees."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def going_on(log: logging.Logger, what: str) -> Iterator[None]:
    """Have an unexpected exception in the log, with where it came from, and go on after the block.

    For one turn of an endless loop; the loop must wait somewhere outside of the block. A cancellation
    passes.

    Args:
        log: where to tell it.
        what: what was being done, for people.
    """
    try:
        yield
    except Exception:
        log.exception("a defect of tlsmgr while %s; it goes on", what)
