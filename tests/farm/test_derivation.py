"""The published derivation, against a second program in another language."""

import re
import shutil
import subprocess

import pytest

from rehearsal.checkout import CHECKOUT
from tlsmgr.farm.ratchet import Ratchet
from tlsmgr.tickets import TicketKey

_VECTORS = (CHECKOUT / "tests" / "vectors" / "farm-derivation.txt").read_text()
_PROGRAM = CHECKOUT / "tests" / "vectors" / "farm-derivation.pl"
_BLOCKS = [
    dict(re.findall(r"^([a-z-]+) = ([0-9a-f]+)$", block, re.MULTILINE))
    for block in _VECTORS.split("\n\n")
    if " = " in block
]


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: f"epoch {block['epoch']}")
def test_our_keys_are_those_of_the_vectors(block: dict[str, str]) -> None:
    """After so many steps: the chain key, and the three parts of the ticket key."""
    epoch, steps = int(block["epoch"]), int(block["steps"])
    start = Ratchet(
        epoch_seconds=int(block["epoch-seconds"]), epoch=epoch, chain_key=bytes.fromhex(block["chain"])
    )
    chain = start.advanced(epoch + steps)
    key = TicketKey.from_material(chain.key_material(), encrypts_until=0)
    assert chain.chain_key.hex() == block["chain-after"]
    assert (key.name.hex(), key.cipher_key.hex(), key.mac_key.hex()) == (
        block["name"],
        block["cipher-key"],
        block["mac-key"],
    )


def test_a_program_in_another_language_computes_the_same() -> None:
    """It prints the vectors as they are, from their inputs alone."""
    perl = shutil.which("perl")
    if perl is None:
        pytest.skip("perl is not installed")
    inputs = re.sub(r"^(chain-after|name|cipher-key|mac-key) = .*$", r"\1 = 00", _VECTORS, flags=re.MULTILINE)
    assert inputs != _VECTORS
    done = subprocess.run(  # noqa: S603 - the program beside the vectors
        [perl, _PROGRAM], input=inputs, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.stdout) == ("", _VECTORS)


def test_the_vectors_are_those_of_the_document() -> None:
    """The first of them stands there, for whoever implements it."""
    document = (CHECKOUT / "docs" / "farm.md").read_text()
    for name, value in _BLOCKS[0].items():
        assert f"{name} = {value}\n" in document
    assert "tlsmgr farm 1 chain key" in document
    assert "tlsmgr farm 1 ticket key" in document
