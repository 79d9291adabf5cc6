"""What lies in examples/ does what it says, on the real system."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bp_faust.fhir.resources import observation
from tests.kafka_client import produce
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

EXAMPLES = Path(__file__).parents[2] / "examples"
TOKEN = "correct-horse-battery-staple"


def example(settings: WorkerSettings, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        env=settings.environment(**more),
        cwd=settings.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_readings_are_posted_and_judged_by_the_policy_file(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess]
) -> None:
    policy = str(EXAMPLES / "ward-3.yaml")
    worker = await asyncio.to_thread(lambda: start_worker(BP_FAUST_FHIR_TOKEN=TOKEN, BP_FAUST_POLICY=policy))
    known = {"BP_FAUST_ADDRESS": worker.url(""), "BP_FAUST_FHIR_TOKEN": TOKEN}
    for systolic in ("165", "175"):
        posted = await asyncio.to_thread(example, settings, "post_reading.py", "ama", systolic, "95", **known)
        assert posted.returncode == 0, posted.stderr
        assert posted.stdout.startswith(worker.url("/fhir/Observation/"))
    await wait_until_drained(settings)
    patient = worker.get("/patients/ama/")
    assert (patient["readings"], patient["findings"]) == (2, {"ward-3/much-too-high": 1})
    refused = await asyncio.to_thread(
        example, settings, "post_reading.py", "ama", "165", "95", **{**known, "BP_FAUST_FHIR_TOKEN": "wrong"}
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("Refused with 401")
    assert len(refused.stderr.splitlines()) == 1


async def test_a_patient_is_plotted_from_elasticsearch(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess]
) -> None:
    await asyncio.to_thread(start_worker)
    readings = [
        observation("ama", 150 + hour, 95, identity=f"o{hour}", effective=f"2026-11-01T{hour:02}:00:00Z")
        for hour in range(20)
    ]
    await produce(settings.kafka, settings.readings_topic, readings)
    await wait_until_drained(settings)

    def drawn() -> bool:
        # Elasticsearch lets documents be found a second after it has them.
        told = example(settings, "plot_patient.py", "ama", "ama.svg")
        return told.stdout == "20 readings drawn in ama.svg\n"

    await eventually(drawn)
    assert "<svg" in (settings.directory / "ama.svg").read_text()
    nobody = await asyncio.to_thread(example, settings, "plot_patient.py", "nobody", "nobody.svg")
    assert (nobody.returncode, len(nobody.stderr.splitlines())) == (1, 1)
