"""Run Kafka and Elasticsearch side by side on one data directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO

from filelock import FileLock, Timeout

from bp_faust.local import downloads
from bp_faust.local.elasticsearch import ElasticsearchNode
from bp_faust.local.errors import DataInUseError, LocalStackError, ServerError
from bp_faust.local.kafka import KafkaBroker, KafkaBrokerWithZookeeper, Zookeeper
from bp_faust.local.processes import Server

#: The project's zookeeper.properties: beside the package in a checkout, or where a wheel installs it.
_ZOOKEEPER_PROPERTIES = (
    Path(__file__).parents[2] / "zookeeper.properties",
    Path(sys.prefix) / "share" / "bp_faust" / "zookeeper.properties",
)


class Stack:
    """Hold a Kafka broker and an Elasticsearch node whose data lie in one directory.

    Port 0 stands for any free one. With ``zookeeper``, the broker is Kafka 3.9 on ZooKeeper. ``kafka_heap`` is
    for the broker without ZooKeeper, whose 256 MB do for some hundreds of partitions. ``tell`` is told what is to be
    fetched, and then how far that is is shown, too.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        kafka_port: int = 0,
        elasticsearch_port: int = 0,
        zookeeper: bool = False,
        kafka_heap: str = "256m",
        cache_dir: Path | None = None,
        offline: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._cache_dir = cache_dir or downloads.default_cache_dir()
        self._offline = offline
        self._tell = tell
        self._held: IO[str] | None = None
        self._zookeeper = zookeeper
        self._kafka_heap = kafka_heap
        self._ports = kafka_port, elasticsearch_port
        self._lock = FileLock(self.data_dir / "in-use.lock", timeout=0)
        self.kafka: KafkaBroker
        self.elasticsearch: ElasticsearchNode

    def start(self) -> None:
        """Fetch what is missing, start both and wait until they answer; raise LocalStackError where that fails."""
        self._lock_data()
        try:
            kafka_jars, elasticsearch_jars = self._fetch()
            self._held = downloads.hold(self._cache_dir)
            kafka_port, elasticsearch_port = self._ports
            self.kafka = self._broker(kafka_jars, kafka_port)
            self.elasticsearch = ElasticsearchNode(
                self.data_dir / "elasticsearch", elasticsearch_jars, elasticsearch_port
            )
            # Started by this thread: on Linux a child dies with the thread that started it.
            self.elasticsearch.launch()
            self.kafka.launch()
            self.kafka.wait_until_ready()
            self.elasticsearch.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both, and leave the data directory to the next one."""
        servers = [server for server in (getattr(self, "kafka", None), getattr(self, "elasticsearch", None)) if server]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda server: server.stop(), servers))
        self._lock.release()
        if self._held is not None:
            self._held.close()

    def wait(self, *others: Server) -> None:
        """Wait for ever; raise ServerError as soon as one of the servers, or of others, ends by itself."""
        while True:
            for server in (self.kafka, self.elasticsearch, *others):
                if not server.running:
                    raise ServerError(f"{server.name} ended; the end of {server.log}:\n{server.log_tail()}")
            time.sleep(0.5)

    def _lock_data(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as exc:
            raise DataInUseError(
                f"Another stack runs on {self.data_dir}: use that one, end it, or choose another --data-dir."
            ) from exc
        except OSError as exc:
            raise LocalStackError(
                f"The data directory {self.data_dir} cannot be made or written to ({exc.strerror}): choose another "
                "--data-dir."
            ) from exc

    def _fetch(self) -> list[list[Path]]:
        wanted = [downloads.KAFKA_WITH_ZOOKEEPER if self._zookeeper else downloads.KAFKA, downloads.ELASTICSEARCH]
        if self._offline:
            downloads.require(wanted, self._cache_dir)
        missing = downloads.missing(wanted, self._cache_dir)
        if missing and self._tell is not None:
            self._tell(f"Fetching {downloads.described(missing)}, once, into {self._cache_dir}")
        return [downloads.fetch(one, self._cache_dir, quiet=self._tell is None) for one in wanted]

    def _broker(self, jars: list[Path], port: int) -> KafkaBroker:
        if not self._zookeeper:
            return KafkaBroker(self.data_dir / "kafka", jars, port, heap=self._kafka_heap)
        properties = next(path for path in _ZOOKEEPER_PROPERTIES if path.is_file())
        zookeeper = Zookeeper(self.data_dir / "zookeeper", jars, properties)
        return KafkaBrokerWithZookeeper(self.data_dir / "kafka-zookeeper", jars, zookeeper, port)

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
