"""An outage of Elasticsearch is told when it begins and when it ends, however many requests fail meanwhile."""

from __future__ import annotations

import pytest

from bp_faust.search.availability import Availability


def test_an_outage_begins_and_ends_with_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    now = 100.0
    elasticsearch = Availability("http://here:9200", lambda: now)
    assert elasticsearch.answers is None
    elasticsearch.up()
    elasticsearch.down("answered 503")
    elasticsearch.down("did not answer in time")
    assert elasticsearch.answers is False
    now = 107.5
    elasticsearch.up()
    elasticsearch.up()
    assert elasticsearch.answers is True
    begun, ended = caplog.records
    assert (begun.levelname, ended.levelname) == ("WARNING", "INFO")
    assert begun.getMessage().startswith("Elasticsearch at http://here:9200 answered 503: ")
    assert vars(ended)["seconds"] == 7.5
