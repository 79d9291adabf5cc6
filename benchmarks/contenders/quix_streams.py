"""Do the job with Quix Streams, as its own documentation has it."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders import Contender, Names, program
from benchmarks.contenders.job import COMMIT_SECONDS, Run, new_state, patient_of, step


def internal_topic(names: Names) -> str:
    """Return the name that Quix Streams gives the topic of group_by."""
    return f"repartition__{names.group}--{names.readings}--patient"


QUIX_STREAMS = Contender(
    title="Quix Streams",
    job="JSON, re-keyed with group_by, RocksDB state of patients, anomalies",
    guarantee="exactly-once",
    command=program("quix_streams"),
    internal=internal_topic,
)


def main() -> None:
    """Run until ended."""
    from quixstreams import Application, State

    run = Run()
    app = Application(
        broker_address=run.kafka,
        consumer_group=run.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        state_dir=run.directory,
        loglevel="WARNING",
    )
    readings = app.topic(run.readings, value_deserializer="json")
    anomalies = app.topic(run.anomalies, value_serializer="json")

    def follow(envelope: dict[str, Any], state: State[str, Any]) -> dict[str, Any] | None:
        patient = state.get("patient") or new_state()
        anomaly = step(patient, envelope)
        state.set("patient", patient)
        return anomaly

    stream = app.dataframe(readings).group_by(patient_of, name="patient").apply(follow, stateful=True)
    stream.filter(lambda anomaly: anomaly is not None).to_topic(anomalies)
    app.run()


if __name__ == "__main__":
    main()
