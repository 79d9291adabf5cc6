"""Records carry the version they were written in."""

import msgspec
import pytest

from bp_faust.encoding import UnknownVersionError, Versioned
from bp_faust.models import PatientState


def test_a_value_can_be_read_back() -> None:
    state = PatientState(readings=3, anomalies={"Hypertension": 2})
    encoding: Versioned[PatientState] = Versioned(PatientState)
    assert encoding.decode(encoding.encode(state)) == state


def test_the_first_byte_is_the_version_and_the_rest_is_messagepack() -> None:
    data = Versioned(PatientState).encode(PatientState(readings=3))
    assert data[0] == 1
    assert msgspec.msgpack.decode(data[1:])[:4] == [3, {}, None, 0]


@pytest.mark.parametrize("data", [b"", b"\x02\x90", b"\x00"])
def test_another_version_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(UnknownVersionError, match="Upgrade this worker"):
        Versioned(PatientState).decode(data)
