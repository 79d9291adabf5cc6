"""A table knows which partitions its worker has."""

from __future__ import annotations

from pathlib import Path

import pytest

from bp_faust.engine.application import App


def test_a_partition_that_went_to_another_worker_is_no_trouble_with_the_disk(tmp_path: Path) -> None:
    store = App("test", datadir=tmp_path, web_enabled=False).state_table("table", decode=lambda key, value: value).store
    assert not store.has(0)
    with pytest.raises(KeyError):
        store.position(0)
