from tlsmgr.service.session_memory import Remembered, SessionMemory

ENTRY: Remembered = (b"s" * 100, 0.0, 1.0, 0)
#: What one such entry takes, with an id of one byte.
SIZE = 501


def test_what_is_put_is_got() -> None:
    """Whatever the time; the reader of an entry looks at that."""
    shelf = SessionMemory(10_000).shelf()
    shelf.put(b"a", ENTRY)
    assert shelf.get(b"a") is ENTRY
    assert shelf.get(b"b") is None


def test_the_least_used_goes_first() -> None:
    """What was asked for a moment ago stays."""
    memory = SessionMemory(2 * SIZE)
    shelf = memory.shelf()
    shelf.put(b"a", ENTRY)
    shelf.put(b"b", ENTRY)
    shelf.get(b"a")
    shelf.put(b"c", ENTRY)
    assert shelf.get(b"b") is None
    assert shelf.get(b"a") is shelf.get(b"c") is ENTRY
    assert memory.used == 2 * SIZE


def test_the_fullest_cache_gives_way() -> None:
    """A busy cache does not push out what a quiet one has."""
    memory = SessionMemory(4 * SIZE)
    busy, quiet = memory.shelf(), memory.shelf()
    quiet.put(b"q", ENTRY)
    for number in range(10):
        busy.put(bytes([number]), ENTRY)
    assert quiet.get(b"q") is ENTRY
    assert len(busy) == 3


def test_without_a_limit_above_zero_nothing_is_kept() -> None:
    """As ``tlsmgr_memory_cache_size = 0`` has it."""
    memory = SessionMemory(0)
    shelf = memory.shelf()
    shelf.put(b"a", ENTRY)
    assert shelf.get(b"a") is None
    assert memory.used == 0


def test_a_larger_entry_takes_the_place_of_a_smaller_one() -> None:
    """And is counted as what it is."""
    memory = SessionMemory(10_000)
    shelf = memory.shelf()
    shelf.put(b"a", ENTRY)
    shelf.put(b"a", (b"s" * 300, 0.0, 1.0, 0))
    assert memory.used == SIZE + 200
    shelf.drop([b"a", b"unknown"])
    assert memory.used == 0


def test_a_released_shelf_takes_nothing() -> None:
    """Nor does a second release."""
    memory = SessionMemory(10_000)
    shelf = memory.shelf()
    shelf.put(b"a", ENTRY)
    memory.release(shelf)
    memory.release(shelf)
    assert memory.used == 0
    assert shelf.get(b"a") is None


def test_a_lower_limit_takes_effect_with_what_comes_next() -> None:
    """Without a moment in which everything is dropped at once."""
    memory = SessionMemory(10_000)
    shelf = memory.shelf()
    for number in range(8):
        shelf.put(bytes([number]), ENTRY)
    memory.use_limit(2 * SIZE)
    shelf.put(b"n", ENTRY)
    assert len(shelf) == 2
