"""Read what became of alerts from their topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bp_faust.models import AlertEvent
from bp_faust.topic_records import read_records

if TYPE_CHECKING:
    from bp_faust.engine.application import App

_decode = msgspec.json.Decoder(AlertEvent).decode


async def last_events(app: App, topic: str) -> dict[str, AlertEvent]:
    """Return what each alert now is, by its id."""
    found: dict[str, AlertEvent] = {}
    async for _, records in read_records(app, topic):
        for record in records:
            try:
                event = _decode(record.value or b"")
            except msgspec.DecodeError:
                continue
            found[event.alert_id] = event
    return found
