"""The command backtest, on a topic and on a file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import orjson

from tests import oracle
from tests.kafka_client import committed_offsets, create_topic, produce
from tests.worker_process import WorkerSettings


async def test_the_topics_history_and_a_file_give_the_same_report_and_touch_no_group(
    settings: WorkerSettings, tmp_path: Path
) -> None:
    envelopes = sorted(
        oracle.random_envelopes(600, patients=20, seed=11), key=lambda one: one["observation"]["effectiveDateTime"]
    )
    await create_topic(settings.kafka, settings.readings_topic, 1)
    await produce(settings.kafka, settings.readings_topic, [*envelopes, b"not json"])
    file, plot, differences = tmp_path / "readings.ndjson", tmp_path / "alerts.svg", tmp_path / "differ.ndjson"
    file.write_bytes(b"\n".join(map(orjson.dumps, envelopes)))
    policies = ("--policy", "aha-2025", "--against", "seed")
    of_topic = await asyncio.to_thread(settings.faust, "--json", "backtest", *policies)
    assert of_topic.returncode == 0, of_topic.stderr
    of_file = await asyncio.to_thread(
        settings.faust,
        "--json",
        "backtest",
        *policies,
        "--file",
        str(file),
        "--plot",
        str(plot),
        "--differences",
        str(differences),
    )
    assert of_file.returncode == 0, of_file.stderr
    report = json.loads(of_file.stdout)
    assert json.loads(of_topic.stdout) == {**report, "refused": 1}
    verdicts = [oracle.anomaly_type(*oracle.values(one)) for one in envelopes]
    assert report["policies"][1]["findings"]["seed/hypertension"] == verdicts.count("Hypertension")
    assert len(differences.read_bytes().splitlines()) == report["differing"] > 0
    assert plot.read_text().startswith("<?xml")
    assert await committed_offsets(settings.kafka, settings.app_id) == {}
    as_table = await asyncio.to_thread(
        settings.faust, "backtest", *policies, "--file", str(file), "--from", "2026-06-01"
    )
    assert "alerts a day" in as_table.stdout
    assert "Traceback" not in as_table.stderr


def test_what_is_wrong_is_told_in_one_line(settings: WorkerSettings, tmp_path: Path) -> None:
    for arguments, told in (
        (("--policy", "esc-2042", "--file", "x"), "There is no policy 'esc-2042'"),
        (("--policy", "seed", "--file", str(tmp_path / "missing")), "cannot be read"),
        (("--policy", "seed"), "There is no topic"),
        (("--policy", "seed", "--from", "soon"), "write a day like"),
    ):
        ran = settings.faust("backtest", *arguments)
        assert ran.returncode in (1, 2)
        assert told in ran.stderr
        assert "Traceback" not in ran.stderr
