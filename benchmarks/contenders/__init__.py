"""Name who takes part: each contender is a process of its own, given a run's names and started from outside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Names:
    """Name what belongs to one run and to no other."""

    #: The consumer group; all of the run's topics have it in their names.
    group: str
    kafka: str
    elasticsearch: str
    #: A folder for local state and logs.
    directory: Path

    @property
    def readings(self) -> str:
        """Return the ingest topic's name."""
        return f"{self.group}-ingest"

    @property
    def anomalies(self) -> str:
        """Return the name of the topic that anomalies go out on."""
        return f"{self.group}-anomalies"

    @property
    def index(self) -> str:
        """Return the Elasticsearch index's name."""
        return f"{self.group}-index"


def program(name: str, *arguments: str) -> Callable[[Names], list[str]]:
    """Return what makes the command line of a contender of this package."""
    return lambda names: [sys.executable, "-m", f"benchmarks.contenders.{name}", *arguments]


def environment(names: Names, **more: str) -> dict[str, str]:
    """Return the environment that a contender's process gets; ``contenders.job`` reads it there."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BP_FAUST_", "F_"))}
    python_path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {
        **inherited,
        "PYTHONPATH": python_path,
        "BENCHMARK_KAFKA": names.kafka,
        "BENCHMARK_GROUP": names.group,
        "BENCHMARK_READINGS": names.readings,
        "BENCHMARK_ANOMALIES": names.anomalies,
        "BENCHMARK_DIRECTORY": str(names.directory),
        **more,
    }


@dataclass(frozen=True)
class Contender:
    """Describe a program that takes readings and finds the anomalies among them."""

    #: What it is called in tables.
    title: str
    #: What it does, in one sentence.
    job: str
    #: What Kafka's readers may count on after a crash.
    guarantee: str
    command: Callable[[Names], Sequence[str]]
    environment: Callable[[Names], Mapping[str, str]] = environment
    #: Returns the name of the topic through which it re-keys, None where it does not.
    internal: Callable[[Names], str] | None = None
    #: Whether it sends the anomalies it finds.
    sends: bool = True
    #: It gets at most so many records, where it is too slow for all of them.
    at_most: int | None = None
    #: What must be there before it starts: topics, with their configuration.
    topics: Callable[[Names], Mapping[str, Mapping[str, str]]] = field(
        default=lambda names: {names.readings: {}, names.anomalies: {}}
    )
