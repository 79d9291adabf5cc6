"""Read, decode and classify, and no more: what aiokafka and msgspec allow at best."""

from __future__ import annotations

import asyncio
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks.contenders import Contender, program
from benchmarks.contenders.job import Run
from benchmarks.dataset import DIASTOLIC_CODE, SYSTOLIC_CODE, classify

#: How often offsets are committed while there is more to read, in seconds.
_COMMIT_SECONDS = 0.25

RAW_AIOKAFKA = Contender(
    title="raw aiokafka + msgspec",
    job="typed decoding and classification only: no re-keying, no state, no output",
    guarantee="none",
    command=program("raw_aiokafka"),
    sends=False,
)


class _Coding(msgspec.Struct):
    code: str


class _Code(msgspec.Struct):
    coding: list[_Coding]


class _Quantity(msgspec.Struct):
    value: float


class _Component(msgspec.Struct):
    code: _Code
    valueQuantity: _Quantity


class _Observation(msgspec.Struct):
    id: str
    status: str
    effectiveDateTime: str
    component: list[_Component]


class _Patient(msgspec.Struct):
    id: str


class _Envelope(msgspec.Struct):
    patient: _Patient
    observation: _Observation


async def main() -> None:
    """Read until ended."""
    run = Run()
    decode = msgspec.json.Decoder(_Envelope).decode
    consumer = AIOKafkaConsumer(
        run.readings,
        bootstrap_servers=run.kafka,
        group_id=run.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=60_000,
        max_partition_fetch_bytes=4 << 20,
        max_poll_records=4000,
    )
    async with consumer:
        committed_at, uncommitted = 0.0, False
        while True:
            fetched = await consumer.getmany(timeout_ms=20)
            for records in fetched.values():
                for record in records:
                    parts = decode(record.value).observation.component
                    values = {part.code.coding[0].code: part.valueQuantity.value for part in parts}
                    classify(values[SYSTOLIC_CODE], values[DIASTOLIC_CODE])
                uncommitted = True
            if uncommitted and (not fetched or time.monotonic() - committed_at > _COMMIT_SECONDS):
                await consumer.commit()
                committed_at, uncommitted = time.monotonic(), False


if __name__ == "__main__":
    asyncio.run(main())
