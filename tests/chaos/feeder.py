"""Send readings at a steady rate until standard input closes; then tell how many they were.

Run as ``python -m tests.chaos.feeder KAFKA TOPIC RATE FIRST_SECONDS FIRST_RATE PATIENTS SEED``: for the first seconds
the rate is another one. A process of its own, as the tests beside it would hold it up.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator

from aiokafka import AIOKafkaProducer

from benchmarks.dataset import PARTITIONS, Dataset

#: More readings than any run takes.
_ENDLESS = 10**9

_TICK_SECONDS = 0.1


async def feed(kafka: str, topic: str, due: Callable[[float], float], values: Iterator[bytes]) -> int:
    """Send as many values as are due after so many seconds; return how many were sent in the end."""
    loop = asyncio.get_running_loop()
    closed = loop.run_in_executor(None, sys.stdin.read)
    sent = 0
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=5) as producer:
        began = loop.time()
        while not closed.done():
            for value in itertools.islice(values, int(due(loop.time() - began)) - sent):
                await producer.send(topic, value, partition=sent % PARTITIONS)
                sent += 1
            await asyncio.wait([closed], timeout=_TICK_SECONDS)
    return sent


def main(kafka: str, topic: str, rate: str, first_seconds: str, first_rate: str, patients: str, seed: str) -> None:
    """Send readings; print how many they were."""

    def due(seconds: float) -> float:
        first = min(seconds, float(first_seconds))
        return first * float(first_rate) + (seconds - first) * float(rate)

    values = Dataset(_ENDLESS, int(patients), int(seed)).envelopes()
    print(asyncio.run(feed(kafka, topic, due, values)))


if __name__ == "__main__":
    main(*sys.argv[1:])
