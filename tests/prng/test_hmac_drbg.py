import copy
import pickle

import pytest

from tests.prng.cavp import VECTORS, Vector, read_vectors
from tlsmgr.errors import TlsmgrError
from tlsmgr.prng.hmac_drbg import (
    HMACDRBG,
    INPUT_SIZE_MAX,
    REQUEST_SIZE_MAX,
    RESEED_INTERVAL_MAX,
    ReseedRequiredError,
)

ENTROPY = bytes(range(32))
NONCE = bytes(range(16))


class Huge(bytes):
    """Bytes that claim to be longer than any input may be."""

    __slots__ = ()

    def __len__(self) -> int:
        return INPUT_SIZE_MAX + 1


def second_output(vector: Vector) -> bytes:
    """Do what the CAVP's instructions say for these inputs."""
    drbg = HMACDRBG(vector.entropy, vector.nonce, vector.personalization)
    if vector.reseed is not None:
        drbg.reseed(*vector.reseed)
    drbg.generate(len(vector.returned), vector.additional[0])
    return drbg.generate(len(vector.returned), vector.additional[1])


@pytest.mark.parametrize(
    ("name", "reseeds"),
    [("HMAC_DRBG_SHA512_no_reseed.rsp", False), ("HMAC_DRBG_SHA512_pr_false.rsp", True)],
)
def test_every_vector_of_nist_passes(name: str, *, reseeds: bool) -> None:
    """All 240 vectors of the file, in its 16 groups of 15, give NIST's second output."""
    vectors = list(read_vectors(VECTORS / name))
    assert len(vectors) == 240
    for vector in vectors:
        assert (vector.reseed is not None) == reseeds
        assert second_output(vector) == vector.returned, (vector.group, vector.count)


@pytest.mark.parametrize(
    ("entropy", "nonce", "personalization", "name"),
    [
        (ENTROPY[:31], NONCE, b"", "entropy"),
        (ENTROPY, NONCE[:15], b"", "nonce"),
        (Huge(), NONCE, b"", "entropy"),
        (ENTROPY, Huge(), b"", "nonce"),
        (ENTROPY, NONCE, Huge(), "personalization"),
    ],
)
def test_inputs_out_of_range_are_refused(
    entropy: bytes, nonce: bytes, personalization: bytes, name: str
) -> None:
    """Too little entropy, too short a nonce, too long an input: the error names which."""
    with pytest.raises(ValueError, match=f"^{name} has"):
        HMACDRBG(entropy, nonce, personalization)


@pytest.mark.parametrize("interval", [0, RESEED_INTERVAL_MAX + 1])
def test_a_reseed_interval_beyond_the_standard_is_refused(interval: int) -> None:
    """Nobody can configure more requests than the standard allows."""
    with pytest.raises(ValueError, match="reseed_interval"):
        HMACDRBG(ENTROPY, NONCE, reseed_interval=interval)


def test_reseed_checks_its_inputs_and_changes_nothing_when_they_are_bad() -> None:
    """A refused reseed leaves the generator where it was."""
    drbg, untouched = HMACDRBG(ENTROPY, NONCE), HMACDRBG(ENTROPY, NONCE)
    with pytest.raises(ValueError, match=r"^entropy has 31 bytes"):
        drbg.reseed(ENTROPY[:31])
    with pytest.raises(ValueError, match=r"^additional has"):
        drbg.reseed(ENTROPY, Huge())
    assert drbg.generate(32) == untouched.generate(32)


@pytest.mark.parametrize("size", [-1, REQUEST_SIZE_MAX + 1])
def test_a_request_out_of_range_is_refused(size: int) -> None:
    """The standard ends a request at 2^19 bits; a negative one means a defect."""
    with pytest.raises(ValueError, match=r"not 0\.\.65536"):
        HMACDRBG(ENTROPY, NONCE).generate(size)


def test_additional_input_of_generate_is_bounded() -> None:
    """The limit holds for generate as it does for reseed."""
    with pytest.raises(ValueError, match=r"^additional has"):
        HMACDRBG(ENTROPY, NONCE).generate(1, Huge())


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, REQUEST_SIZE_MAX])
def test_every_size_in_range_is_given_exactly(size: int) -> None:
    """Nothing and the largest request included."""
    assert len(HMACDRBG(ENTROPY, NONCE).generate(size)) == size


def test_the_reseed_counter_ends_the_output_until_it_is_seeded_again() -> None:
    """After the interval each request is refused, also the next one, and a reseed mends it."""
    drbg = HMACDRBG(ENTROPY, NONCE, reseed_interval=2)
    assert drbg.reseed_counter == 1
    drbg.generate(1)
    drbg.generate(1)
    for _ in range(2):
        with pytest.raises(ReseedRequiredError, match="2 requests"):
            drbg.generate(1)
    drbg.reseed(ENTROPY)
    assert drbg.reseed_counter == 1
    assert len(drbg.generate(1)) == 1


def test_reseed_required_is_an_error_of_this_package() -> None:
    """A process that does not catch it still ends with a named exit code."""
    assert issubclass(ReseedRequiredError, TlsmgrError)


def test_a_generator_cannot_be_duplicated() -> None:
    """A copy or a pickle would repeat the output, and a pickle puts the state on a disk."""
    drbg = HMACDRBG(ENTROPY, NONCE)
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            duplicate(drbg)


def test_repr_shows_no_state() -> None:
    """Two generators with different states look alike, and have no dict to look into."""
    first, second = HMACDRBG(ENTROPY, NONCE), HMACDRBG(ENTROPY[::-1], NONCE)
    assert repr(first) == repr(second)
    assert not hasattr(first, "__dict__")
