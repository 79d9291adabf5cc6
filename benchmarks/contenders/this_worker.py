"""Start this project's own worker, as its users do."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import Contender, Names, environment


def with_sink(names: Names) -> Mapping[str, str]:
    """Return the environment for a worker of a run."""
    return environment(
        names,
        BP_FAUST_APP_ID=names.group,
        BP_FAUST_BROKER_URL=f"kafka://{names.kafka}",
        BP_FAUST_READINGS_TOPIC=names.readings,
        BP_FAUST_ANOMALIES_TOPIC=names.anomalies,
        BP_FAUST_ELASTICSEARCH_URL=names.elasticsearch,
        BP_FAUST_ELASTICSEARCH_INDEX=names.index,
        BP_FAUST_SIMULATION_INTERVAL="0",
        # The others judge all readings, as the seed does.
        BP_FAUST_SET_IMPLAUSIBLE_ASIDE="false",
        BP_FAUST_DATADIR=str(names.directory),
        BP_FAUST_WEB_PORT=str(free_port()),
    )


def without_sink(names: Names) -> Mapping[str, str]:
    """Return the environment for a worker whose Elasticsearch is away, so that its index agent only waits."""
    return {**with_sink(names), "BP_FAUST_ELASTICSEARCH_URL": f"http://127.0.0.1:{free_port()}"}


def without_standbys(names: Names) -> Mapping[str, str]:
    """Return the environment for a worker without a sink that keeps no copy of another worker's partitions."""
    return {**without_sink(names), "BP_FAUST_TABLE_STANDBY_REPLICAS": "0"}


def command(names: Names) -> list[str]:
    """Return the worker's command line."""
    return [str(Path(sys.executable).parent / "faust"), "-A", "bp_faust", "worker", "-l", "warn"]


def internal_topic(names: Names) -> str:
    """Return the name of the topic of readings by patient."""
    return f"{names.group}-readings"


def changelog(names: Names) -> str:
    """Return the name of the table's changelog."""
    return f"{names.group}-patients-changelog"


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


THIS_WORKER = Contender(
    title="this worker",
    job="typed decoding with validation, re-keyed, RocksDB table of patients and of each reading, anomalies; counts "
    "each Observation once",
    guarantee="exactly-once",
    command=command,
    environment=without_sink,
    internal=internal_topic,
)
