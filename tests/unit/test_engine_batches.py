"""Batches are joined where they may be, and gone when nobody needs them."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

from faust.types import TP

from bp_faust.engine.batches import Batch, WaitingBatches

TOPIC = TP("topic", 0)


class Records(list):  # type: ignore[type-arg]
    """A list that can be referred to weakly."""


def batch(*offsets: int, generation: int = 1, size: int = 10) -> Batch:
    records = Records(SimpleNamespace(offset=offset, value=b"x" * size) for offset in offsets)
    return Batch(TOPIC, records, generation)


async def test_what_waits_is_handed_over_as_one_batch_of_one_generation_within_the_limits() -> None:
    waiting = WaitingBatches(most_records=4, most_bytes=1000)
    for one in (batch(0, 1), batch(2), batch(3, 4), batch(5, generation=2), batch(6, size=995, generation=2)):
        waiting.put(one)
    handed = [await waiting.get() for _ in range(4)]
    assert [[record.offset for record in one.records] for one in handed] == [[0, 1, 2], [3, 4], [5], [6]]


def test_a_batch_that_nobody_needs_is_gone_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        one = batch(1, 2)
        two = one.followed_by([batch(3)])
        references = [weakref.ref(one.records), weakref.ref(two.parts[1].records)]
        del one, two
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()


def test_a_batch_is_as_old_as_its_oldest_record_unless_its_agent_knows_better() -> None:
    one = Batch(TOPIC, [SimpleNamespace(timestamp=milliseconds, value=None) for milliseconds in (5000, 3000, 4000)], 1)
    assert one.oldest == 3.0
    one.since = 2.5
    assert one.oldest == 2.5
