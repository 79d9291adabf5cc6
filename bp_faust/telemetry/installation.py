"""Put together what single workers say of themselves. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from bp_faust.clinical.totals import Totals, together


class WorkerState(Struct):
    """Hold how a worker stands: what a probe of it would answer."""

    address: str
    ready: bool
    recovering: bool
    #: Changelog entries still to be read, and how many there were.
    entries_to_recover: int
    entries_of_recovery: int
    #: What has given no sign of itself in time.
    no_sign_of: list[str]
    #: What cannot be done for now, and why.
    hindrances: dict[str, str]
    #: Whether the last request to Elasticsearch was answered.
    sink_reachable: bool
    #: The partitions of the table of patients that it answers for.
    partitions: list[int]


class WorkerOverview(WorkerState):
    """Hold what a worker adds to the overview."""

    #: None until it was asked twice.
    readings_per_second: float | None
    totals: Totals
    #: Refused records by reason.
    refusals: dict[str, int]
    #: How many offsets it is behind, by topic.
    lag: dict[str, int]
    #: How many changes of alerts it has told of since it started.
    alert_changes: int


class AlertCounts(Struct):
    """Hold how many alerts of a severity are not resolved."""

    open: int = 0
    acknowledged: int = 0


class Installation(Struct):
    """Hold how all workers together stand."""

    #: ISO 8601 in UTC.
    time: str
    readings_per_second: float | None
    patients: int
    readings: int
    implausible: int
    #: Readings that are anomalies, by type.
    anomalies: dict[str, int]
    #: By severity.
    alerts: dict[str, AlertCounts]
    #: Differs whenever any alert changed.
    alert_changes: int
    refusals: dict[str, int]
    lag: dict[str, int]
    workers: list[WorkerState]
    #: The addresses of workers that did not answer.
    workers_missing: list[str]
    #: The partitions of patients for which no worker answers: they are in none of the counts.
    partitions_missing: list[int]


def installation_of(
    workers: Iterable[WorkerOverview], missing: Sequence[str], partitions: int, time: str
) -> Installation:
    """Put workers together; missing are the addresses of those that do not answer, partitions how many there are."""
    workers = sorted(workers, key=lambda worker: worker.address)
    refusals, lag = Counter[str](), Counter[str]()
    for worker in workers:
        refusals.update(worker.refusals)
        lag.update(worker.lag)
    rates = [worker.readings_per_second for worker in workers if worker.readings_per_second is not None]
    totals = together(worker.totals for worker in workers)
    severities = [*totals.open_alerts, *totals.acknowledged_alerts]
    return Installation(
        time=time,
        readings_per_second=sum(rates) if rates else None,
        patients=totals.patients,
        readings=totals.readings,
        implausible=totals.implausible,
        anomalies=totals.anomalies,
        alerts={
            severity: AlertCounts(totals.open_alerts.get(severity, 0), totals.acknowledged_alerts.get(severity, 0))
            for severity in severities
        },
        alert_changes=sum(worker.alert_changes for worker in workers),
        refusals=dict(refusals.most_common()),
        lag=dict(sorted(lag.items())),
        workers=[_state_of(worker) for worker in workers],
        workers_missing=sorted(missing),
        partitions_missing=sorted(set(range(partitions)).difference(*(worker.partitions for worker in workers))),
    )


def _state_of(worker: WorkerState) -> WorkerState:
    """Return a worker's state without what it adds to it."""
    return WorkerState(*(getattr(worker, field) for field in WorkerState.__struct_fields__))


class TopicPartition(Struct):
    """Hold who works on a partition of a topic."""

    topic: str
    partition: int
    #: How many offsets its work is behind, None where that is not known yet.
    lag: int | None
    #: The address of the worker that has it, None where nobody has.
    worker: str | None = None


class TablePartition(Struct):
    """Hold a worker's copy of a partition of a table."""

    table: str
    partition: int
    #: Whether the worker answers for it; else it is a copy to take over from.
    active: bool
    #: The changelog position that it stands for.
    position: int
    worker: str = ""


class WorkerSystem(WorkerState):
    """Hold what a worker says of its own parts."""

    version: str
    python: str
    topic_partitions: list[TopicPartition]
    tables: list[TablePartition]


class Setting(Struct):
    """Hold a setting in force and where it came from; of a secret, only that it is set."""

    name: str
    value: str
    origin: str = field(name="from")


class System(Struct):
    """Hold what the installation is made of."""

    #: The worker that answers; the settings are its own.
    asked: str
    workers: list[WorkerSystem]
    partitions: list[TopicPartition]
    tables: list[TablePartition]
    settings: list[Setting]
    workers_missing: list[str]


def system_of(
    asked: str,
    workers: Iterable[WorkerSystem],
    missing: Sequence[str],
    wanted: Iterable[tuple[str, int]],
    settings: Sequence[Setting],
) -> System:
    """Put workers together; wanted are topic and partition of all that somebody should work on."""
    workers = sorted(workers, key=lambda worker: worker.address)
    partitions = {(topic, number): TopicPartition(topic, number, None) for topic, number in wanted}
    tables = []
    for worker in workers:
        for one in worker.topic_partitions:
            partitions[one.topic, one.partition] = TopicPartition(one.topic, one.partition, one.lag, worker.address)
        for table in worker.tables:
            tables.append(TablePartition(table.table, table.partition, table.active, table.position, worker.address))
    tables.sort(key=lambda one: (one.table, one.partition, not one.active, one.worker))
    return System(
        asked, workers, [partitions[key] for key in sorted(partitions)], tables, list(settings), sorted(missing)
    )
