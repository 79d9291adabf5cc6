"""Do the job with a plain Faust agent, as Faust's own documentation has it."""

from __future__ import annotations

from typing import Any

import faust

from benchmarks.contenders import Contender, Names, program
from benchmarks.contenders.job import COMMIT_SECONDS, Run, new_state, patient_of, step
from benchmarks.dataset import PARTITIONS


def internal_topic(names: Names) -> str:
    """Return the name that Faust gives the topic of group_by."""
    return f"follow-{names.readings}-patient-repartition"


def changelog(names: Names) -> str:
    """Return the name of the table's changelog."""
    return f"{names.group}-patients-changelog"


PLAIN_FAUST = Contender(
    title="plain Faust",
    job="JSON, re-keyed with group_by, RocksDB table of patients, anomalies",
    guarantee="at-least-once",
    command=program("plain_faust", "worker", "--without-web", "-l", "warn"),
    internal=internal_topic,
    at_most=10_000,
)


def main() -> None:
    """Run Faust's command line."""
    run = Run()
    app = faust.App(
        run.group,
        broker=f"kafka://{run.kafka}",
        datadir=str(run.directory),
        store="rocksdb://",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        broker_commit_interval=COMMIT_SECONDS,
    )
    readings = app.topic(run.readings, key_type=bytes, key_serializer="raw", value_serializer="json")
    anomalies = app.topic(run.anomalies, value_serializer="json")
    # Faust's defaults are a block cache of 2 GiB and three memtables of 64 MiB for each partition.
    options = {"block_cache_size": 32 << 20, "write_buffer_size": 8 << 20, "max_write_buffer_number": 2}
    patients = app.Table("patients", default=new_state, partitions=PARTITIONS, options=options)

    @app.agent(readings, name="follow")
    async def follow(stream: faust.StreamT[Any]) -> None:
        async for envelope in stream.group_by(patient_of, name="patient"):
            patient = patient_of(envelope)
            state = patients[patient]
            anomaly = step(state, envelope)
            patients[patient] = state
            if anomaly is not None:
                await anomalies.send(key=patient, value=anomaly)

    app.main()


if __name__ == "__main__":
    main()
