import json
from contextlib import suppress
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.errors import ProtocolError
from tlsmgr.farm.description import HeldKey, HostDescription

texts = st.text(max_size=20)
numbers = st.integers(-(2**63), 2**63)
descriptions = st.builds(
    HostDescription,
    host=texts,
    described_at=st.floats(0, 2**40),
    tlsmgr=texts,
    postfix=texts,
    timeout=numbers,
    key_source=texts,
    key_trouble=texts,
    clock_skew=numbers,
    keys=st.lists(st.builds(HeldKey, name=texts, epoch=st.none() | numbers), max_size=4).map(tuple),
    database=texts,
    store=texts,
    fingerprint=texts,
    services=st.lists(texts, max_size=4).map(tuple),
    openssl=numbers,
    parameters=st.dictionaries(texts, texts, max_size=4).map(MappingProxyType),
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(descriptions)
def test_what_one_host_writes_another_reads(description: HostDescription) -> None:
    """On one line, whatever the texts in it are."""
    text = description.as_json()
    assert "\n" not in text
    assert HostDescription.from_json(text) == description


@given(descriptions, json_values)
def test_unknown_members_are_ignored(description: HostDescription, value: object) -> None:
    """A later version may have more of them."""
    members = {**json.loads(description.as_json()), "a_member_of_a_later_version": value}
    assert HostDescription.from_json(json.dumps(members)) == description


@given(descriptions)
def test_keys_are_grouped_by_their_epochs(description: HostDescription) -> None:
    """Those of no epoch are no farm's."""
    grouped = description.names_by_epoch()
    for key in description.keys:
        assert key.epoch is None or key.name in grouped[key.epoch]
    assert sum(map(len, grouped.values())) <= len(description.keys)


@given(st.text(max_size=50) | json_values.map(json.dumps))
def test_anything_else_is_refused(text: str) -> None:
    """With one error, which quotes nothing of it."""
    with pytest.raises(ProtocolError, match="description of a host"):
        HostDescription.from_json(text)


@given(descriptions, st.data())
def test_a_member_of_another_type_is_refused(description: HostDescription, data: st.DataObject) -> None:
    """Never another error than that of the peer's fault."""
    members = json.loads(description.as_json())
    members[data.draw(st.sampled_from(sorted(members)))] = data.draw(json_values)
    with suppress(ProtocolError):
        HostDescription.from_json(json.dumps(members))
