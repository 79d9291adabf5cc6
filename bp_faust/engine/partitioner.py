"""Choose partitions the way Kafka's own clients do, fast enough for every record."""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash that Kafka's Java client uses (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    hashed = _SEED ^ length
    words = length >> 2
    for word in struct.unpack_from(f"<{words}I", data):
        word = (word * _MULTIPLIER) & _MASK
        hashed = (hashed * _MULTIPLIER) & _MASK ^ ((word ^ (word >> 24)) * _MULTIPLIER) & _MASK
    tail = data[words << 2 :]
    if tail:
        hashed = ((hashed ^ int.from_bytes(tail, "little")) * _MULTIPLIER) & _MASK
    hashed = ((hashed ^ (hashed >> 13)) * _MULTIPLIER) & _MASK
    return hashed ^ (hashed >> 15)


@lru_cache(maxsize=2**17)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a text key, as Kafka's default partitioner would choose it for its UTF-8 bytes."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
