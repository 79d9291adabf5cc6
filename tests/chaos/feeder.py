"""Send readings at a steady rate until standard input closes; then tell how many they were.

Run as ``python -m tests.chaos.feeder KAFKA TOPIC RATE PATIENTS SEED``. A process of its own, as the tests beside it
would hold it up.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from aiokafka import AIOKafkaProducer

from benchmarks.dataset import PARTITIONS, Dataset

#: More readings than any run takes.
_ENDLESS = 10**9

_TICK_SECONDS = 0.1


async def feed(kafka: str, topic: str, rate: float, patients: int, seed: int) -> int:
    """Send so many readings a second; return how many were sent in the end."""
    loop = asyncio.get_running_loop()
    closed = loop.run_in_executor(None, sys.stdin.read)
    values = Dataset(_ENDLESS, patients, seed).envelopes()
    sent = 0
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=5) as producer:
        began = loop.time()
        while not closed.done():
            due = int((loop.time() - began) * rate) - sent
            for value in itertools.islice(values, due):
                await producer.send(topic, value, partition=sent % PARTITIONS)
                sent += 1
            await asyncio.wait([closed], timeout=_TICK_SECONDS)
    return sent


if __name__ == "__main__":
    _, kafka, topic, rate, patients, seed = sys.argv
    print(asyncio.run(feed(kafka, topic, float(rate), int(patients), int(seed))))
