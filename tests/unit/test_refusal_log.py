"""Refused records are told of in the log together, with where the first of them came in."""

from __future__ import annotations

import pytest

from bp_faust.dead_letters.letters import Origin
from bp_faust.dead_letters.refusal_log import TELL_SECONDS, RefusalLog


def test_many_refusals_make_a_line_and_a_few_seconds_later_the_next(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = RefusalLog(lambda: now)
    log.tell()
    log.note(Origin("readings", 2, 40, 0), ["not-json"])
    log.note(Origin("readings", 1, 7, 0), ["no-patient", "not-json"])
    log.tell()
    log.note(Origin("readings", 3, 9, 0), ["not-json"])
    log.tell()
    (told,) = caplog.records
    assert vars(told).items() >= {"topic": "readings", "partition": 2, "offset": 40, "refused": 2}.items()
    assert vars(told)["reasons"] == {"not-json": 2, "no-patient": 1}
    assert "dlq list" in told.getMessage()
    now = TELL_SECONDS
    log.tell()
    assert [vars(one)["refused"] for one in caplog.records] == [2, 1]
    now *= 2
    log.tell()
    assert len(caplog.records) == 2
