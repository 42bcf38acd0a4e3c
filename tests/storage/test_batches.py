import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsmgr.storage.sessions import Change, Put, Remove, SessionStore


def put(cache_id: bytes, session: bytes) -> Put:
    """Return a Put whose times do not matter."""
    return Put(cache_id=cache_id, session=session, stored_at=1, expires_at=2)


@given(st.lists(st.sampled_from([put(b"a", b"1"), put(b"a", b"2"), put(b"b", b""), Remove(cache_id=b"a")])))
@settings(max_examples=25)
def test_a_batch_does_what_its_changes_do_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, changes: list[Change]
) -> None:
    """Same answers, same content."""
    folder = tmp_path_factory.mktemp("batch")
    with (
        SessionStore(folder / "whole", checkpoints=True) as whole,
        SessionStore(folder / "single", checkpoints=True) as single,
    ):
        assert list(whole.apply(changes).done) == [single.apply([change]).done[0] for change in changes]
        assert [whole.find(name) for name in (b"a", b"b")] == [single.find(name) for name in (b"a", b"b")]
