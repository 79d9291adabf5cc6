"""Every command, run as its users run it."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import orjson
import pytest

from bp_faust.fhir.resources import validate
from bp_faust.simulation import Simulation
from bp_faust.simulation.scenarios import find_scenario
from tests.kafka_client import read_all
from tests.worker_process import FAUST, WorkerSettings, free_port, wait_for

OURS = ["demo", "dlq", "doctor", "generate", "produce", "send", "settings", "stack", "worker"]


def test_help_lists_our_commands_beside_fausts(settings: WorkerSettings) -> None:
    told = settings.faust("--help")
    assert told.returncode == 0
    for name in [*OURS, "agents", "tables"]:
        assert f"\n  {name} " in told.stdout


def test_the_console_script_is_the_same(settings: WorkerSettings) -> None:
    script = Path(sys.executable).parent / "bp-faust"
    told = subprocess.run([script, "--help"], env=settings.environment(), capture_output=True, text=True, check=False)
    assert told.returncode == 0
    assert "Commands:" in told.stdout
    assert told.stdout.partition("Commands:")[2] == settings.faust("--help").stdout.partition("Commands:")[2]


async def test_send_puts_another_valid_simulated_reading_each_time(settings: WorkerSettings) -> None:
    for _ in range(2):
        sent = settings.faust("send", "readings")
        assert sent.returncode == 0, sent.stderr
        told = json.loads(sent.stdout)
        assert told["topic"] == settings.readings_topic
        assert {"partition", "offset"} <= told.keys()
    envelopes = [orjson.loads(record.value) for record in await read_all(settings.kafka, settings.readings_topic)]
    assert len({envelope["observation"]["id"] for envelope in envelopes}) == 2
    for envelope in envelopes:
        for resource in envelope.values():
            validate(resource)
            assert resource["meta"]["security"][0]["code"] == "HTEST"


async def test_send_keeps_fausts_options(settings: WorkerSettings) -> None:
    assert settings.faust("send", "readings", "--repeat", "3", "--key", "k", "--partition", "2").returncode == 0
    records = await read_all(settings.kafka, settings.readings_topic)
    assert [(record.key, record.partition) for record in records] == [(b"k", 2)] * 3
    assert len({record.value for record in records}) == 3


async def test_send_with_a_value_sends_that_value(settings: WorkerSettings) -> None:
    for entity in ("readings", settings.readings_topic, "@intake"):
        sent = settings.faust("send", entity, '{"my": "value"}')
        assert sent.returncode == 0, sent.stderr
    records = await read_all(settings.kafka, settings.readings_topic)
    assert [record.value for record in records] == [b'{"my": "value"}'] * 3


async def test_send_reaches_other_topics(settings: WorkerSettings) -> None:
    sent = settings.faust("send", f"{settings.app_id}-other", "hello")
    assert sent.returncode == 0, sent.stderr
    assert [record.value for record in await read_all(settings.kafka, f"{settings.app_id}-other")] == [b"hello"]


def test_generate_writes_a_valid_observation(settings: WorkerSettings) -> None:
    assert settings.faust("generate").returncode == 0
    resource = json.loads((settings.directory / "blood_pressure.json").read_text())
    validate(resource)
    assert resource["subject"]["reference"] == "Patient/patient-123"
    assert [part["valueQuantity"]["value"] for part in resource["component"]] == [120, 80]
    options = ["-o", "other.json", "--patient", "p", "--systolic", "150.5", "--diastolic", "95"]
    assert settings.faust("generate", *options).returncode == 0
    resource = json.loads((settings.directory / "other.json").read_text())
    assert resource["subject"]["reference"] == "Patient/p"
    assert [part["valueQuantity"]["value"] for part in resource["component"]] == [150.5, 95]


def test_generate_names_a_file_that_it_cannot_write(settings: WorkerSettings) -> None:
    told = settings.faust("generate", "-o", "nowhere/file.json")
    assert told.returncode == 1
    assert_one_line(told.stderr, "nowhere/file.json")


async def test_produce_sends_simulated_readings_quietly_when_piped(settings: WorkerSettings) -> None:
    told = settings.faust("produce", "--count", "25", "--rate", "0")
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    assert len(await read_all(settings.kafka, settings.readings_topic)) == 25


async def test_produce_sends_the_same_history_from_the_same_seed(settings: WorkerSettings) -> None:
    options = ["--scenario", "ward-crisis", "--from", "2026-11-01", "--days", "2", "--seed", "7"]
    for _ in range(2):
        told = settings.faust("produce", *options)
        assert told.returncode == 0, told.stderr
    values = Counter(record.value for record in await read_all(settings.kafka, settings.readings_topic))
    assert len(values) > 20 * 2 * 6
    assert set(values.values()) == {2}
    times = [orjson.loads(value)["observation"]["effectiveDateTime"] for value in values]
    assert min(times) >= "2026-11-01T00:00:00+00:00"
    assert max(times) < "2026-11-03"


async def test_a_history_is_of_the_workers_patients_at_times_of_their_zone(settings: WorkerSettings) -> None:
    environment = {"BP_FAUST_DEFAULT_TIME_ZONE": "Africa/Nairobi", "BP_FAUST_SIMULATION_PATIENTS": "3"}
    told = settings.faust("produce", "--scenario", "treatment", "--from", "2026-11-01", "--count", "9", **environment)
    assert told.returncode == 0, told.stderr
    envelopes = [orjson.loads(record.value) for record in await read_all(settings.kafka, settings.readings_topic)]
    assert len(envelopes) == 9
    people = {person.identity for person in Simulation(find_scenario("treatment"), 2026, 3, date(2026, 11, 1)).people}
    assert {envelope["patient"]["id"] for envelope in envelopes} <= people
    assert all(envelope["observation"]["effectiveDateTime"].endswith("+03:00") for envelope in envelopes)


async def test_produce_sends_each_line_of_a_file(settings: WorkerSettings) -> None:
    lines = [b'{"resourceType": "Observation"}', b"not json", b'{"resourceType": "Bundle"}']
    (settings.directory / "readings.ndjson.gz").write_bytes(gzip.compress(b"\n".join(lines) + b"\n\n"))
    assert settings.faust("produce", "--file", "readings.ndjson.gz").returncode == 0
    records = await read_all(settings.kafka, settings.readings_topic)
    assert sorted(record.value for record in records) == sorted(lines)


async def test_produce_sends_what_generate_wrote(settings: WorkerSettings) -> None:
    assert settings.faust("generate").returncode == 0
    assert settings.faust("produce", "--file", "blood_pressure.json").returncode == 0
    (record,) = await read_all(settings.kafka, settings.readings_topic)
    assert json.loads(record.value) == json.loads((settings.directory / "blood_pressure.json").read_text())


def test_produce_names_a_file_that_it_cannot_read(settings: WorkerSettings) -> None:
    told = settings.faust("produce", "--file", "missing.ndjson")
    assert told.returncode == 1
    assert_one_line(told.stderr, "missing.ndjson")


@pytest.mark.parametrize("command", [("send", "readings"), ("produce",)])
def test_without_a_broker_a_command_says_so_at_once(settings: WorkerSettings, command: tuple[str, ...]) -> None:
    address = f"127.0.0.1:{free_port()}"
    told = settings.faust(*command, seconds=30, BP_FAUST_BROKER_URL=f"kafka://{address}")
    assert told.returncode == 1
    assert_one_line(told.stderr, address)


@pytest.mark.parametrize(
    "command",
    [
        ("produce", "--count", "many"),
        ("produce", "--rate", "-1"),
        ("produce", "--days", "3"),
        ("produce", "--from", "yesterday"),
        ("produce", "--file", "readings.ndjson", "--scenario", "clinic"),
        ("stack", "--kafka-port", "x"),
        ("nonsense",),
    ],
)
def test_wrong_arguments_are_told_with_the_usage(settings: WorkerSettings, command: tuple[str, ...]) -> None:
    told = settings.faust(*command)
    assert told.returncode == 2
    assert "Usage:" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BP_FAUST_SIMULATION_INTERVAL", "soon"),
        ("BP_FAUST_SIMULATION_INTERVAL", "-1"),
        ("BP_FAUST_DEFAULT_TIME_ZONE", "Mars/Olympus"),
        ("BP_FAUST_UNIT_POLICY", "guess"),
    ],
)
def test_a_wrong_setting_is_named_without_a_stack_trace(settings: WorkerSettings, name: str, value: str) -> None:
    told = settings.faust("tables", **{name: value})
    assert told.returncode != 0
    assert name in told.stderr
    assert "Traceback" not in told.stderr


def test_a_scenario_that_is_not_there_is_told_in_one_line(settings: WorkerSettings) -> None:
    told = settings.faust("produce", "--scenario", "earthquake")
    assert told.returncode == 1
    assert_one_line(told.stderr, "earthquake")
    told = settings.faust("worker", BP_FAUST_SIMULATION_INTERVAL="1", BP_FAUST_SIMULATION_SCENARIO="earthquake")
    assert told.returncode == 1
    assert_one_line(told.stderr, "earthquake")


def assert_one_line(told: str, part: str) -> None:
    assert len(told.strip().splitlines()) == 1, told
    assert told.startswith("Error: ")
    assert part in told


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (("produce", "--from", "2999-01-01"), "lies in the future"),
        (("produce", "--rate", "nan"), "must be a number"),
        (("send", "@nobody", "x"), "There is no agent @nobody"),
        (("send", "readings", "--partition", "99"), "has partitions 0 to 3, and no 99"),
        (("send", "readings", "--repeat", "0"), "must be 1 or more"),
        (("dlq", "list", "--reason", "unit-unknwon"), "did you mean unit-unknown?"),
        (("dlq", "show", "--at", "somewhere"), "write topic/partition/offset"),
        (("dlq", "list", "--since", "2026-02-01", "--until", "2026-01-01"), "must lie before"),
        (("backtest", "--policy", "seed", "--from", "2026-02-01", "--to", "2026-01-01"), "must lie before"),
        (("patient", "set", "", "--clear"), "Name a patient"),
        (("patient", "set", "p-1", "--birth-date", "2999"), "lies in the future"),
        (("patient", "show", "--policy", "seed"), "takes no options"),
        (("alerts", "list", "--why", "called"), "are for acknowledge"),
        (("alerts", "acknowledge", "a", "--why", "called", "--status", "open"), "are for list"),
        (("backtest", "--policy", "seed", "--plot", "alerts.doc"), "ends in .svg or .png or .pdf"),
        (("generate", "--systolic", "-5"), "not in the range"),
        (("stack", "--kafka-prot", "1"), "Did you mean --kafka-port?"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_usage(
    settings: WorkerSettings, command: tuple[str, ...], part: str
) -> None:
    told = settings.faust(*command)
    assert told.returncode == 2
    assert part in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("command", [("produce",), ("backtest", "--policy", "esc-2024")])
def test_files_that_hold_nothing_or_cannot_be_read_are_named(
    settings: WorkerSettings, command: tuple[str, ...]
) -> None:
    (settings.directory / "empty").touch()
    (settings.directory / "folder").mkdir()
    (settings.directory / "cut.gz").write_bytes(gzip.compress(b"{}" * 10_000)[:-12])
    for file, part in (("empty", "is empty"), ("folder", "Is a directory"), ("cut.gz", "cannot be read")):
        told = settings.faust(*command, "--file", file)
        assert told.returncode == 1
        assert_one_line(told.stderr, part)


def test_json_is_for_scripts(settings: WorkerSettings) -> None:
    topic = settings.readings_topic
    assert json.loads(settings.faust("--json", "produce", "--rate", "0").stdout) == {"sent": 10, "topic": topic}
    assert json.loads(settings.faust("--json", "generate", "-o", "a.json").stdout)["file"] == "a.json"
    assert json.loads(settings.faust("--json", "dlq", "replay").stdout) == {"replayed": 0}
    assert json.loads(settings.faust("--json", "dlq", "list").stdout) == []
    assert json.loads(settings.faust("--json", "alerts", "list").stdout) == []
    assert json.loads(settings.faust("--json", "patient", "set", "p-1", "--setting", "home").stdout) == {
        "patient/p-1": {"setting": "home"}
    }
    assert json.loads(settings.faust("--json", "patient", "show").stdout) == {"patient/p-1": {"setting": "home"}}
    in_force = {one["name"]: one for one in json.loads(settings.faust("--json", "settings").stdout)}
    assert in_force["BP_FAUST_READINGS_TOPIC"] == {
        "name": "BP_FAUST_READINGS_TOPIC",
        "value": topic,
        "from": "environment",
    }


_HEED_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_ctrl_c_ends_a_command_without_a_trace(settings: WorkerSettings) -> None:
    log = settings.directory / "produce.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # Who runs the tests in the background may have Ctrl-C ignored.
            [sys.executable, "-c", _HEED_CTRL_C, *FAUST, "produce", "--count", "100000"],
            env=settings.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        topic = settings.readings_topic
        # What is read must be there first.
        assert settings.faust("send", topic).returncode == 0
        wait_for(lambda: len(asyncio.run(read_all(settings.kafka, topic))) > 3, 60, "readings")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait(30)
    assert log.read_text() == ""
