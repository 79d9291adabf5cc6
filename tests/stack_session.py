"""Hold the Kafka and Elasticsearch that a test session shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bp_faust.local.stack import Stack


class StackSession:
    """Start the local stack once; remember why it could not be had."""

    def __init__(self) -> None:
        self._stack: Stack | None = None
        self.missing: str | None = None

    def start(self, data_dir: Path) -> None:
        """Start the stack, or skip the test where its parts cannot be downloaded."""
        from bp_faust.local.errors import DownloadError
        from bp_faust.local.stack import Stack

        try:
            # Each test has topics of its own, thousands of partitions in the end.
            self._stack = Stack(data_dir, kafka_heap="1g")
            self._stack.start()
        except DownloadError as exc:
            self.missing = str(exc)
            pytest.skip(self.missing)

    def stop(self) -> None:
        """End the stack."""
        if self._stack is not None:
            self._stack.stop()

    @property
    def kafka(self) -> str:
        """Return the broker's address as host:port."""
        assert self._stack is not None
        return self._stack.kafka.bootstrap

    @property
    def elasticsearch_url(self) -> str:
        """Return the node's address."""
        assert self._stack is not None
        return self._stack.elasticsearch.url
