"""A real Kafka and a real Elasticsearch, started by our own code with nothing but Python on the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from elasticsearch import AsyncElasticsearch

from bp_faust.local.downloads import KAFKA, default_cache_dir, fetch, require
from bp_faust.local.errors import DataInUseError, DownloadError, PortTakenError
from bp_faust.local.purging import purge
from bp_faust.local.stack import Stack
from tests.kafka_client import read_all
from tests.running_command import running
from tests.worker_process import FAUST, free_port, wait_for


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave nothing on the PATH but a shell: no java, no mvn, no docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert not any(map(shutil.which, ("java", "mvn", "docker")))
    yield


async def put(bootstrap: str, topic: str, value: bytes) -> None:
    async with (
        AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="test") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(topic, value)


@pytest.mark.usefixtures("stack", "bare_path")
@pytest.mark.parametrize("zookeeper", [False, True], ids=["kraft", "zookeeper"])
async def test_both_start_work_and_keep_their_data(tmp_path: Path, zookeeper: bool) -> None:
    for number in range(2):
        with Stack(tmp_path / "stack", zookeeper=zookeeper) as running:
            await put(running.kafka.bootstrap, "topic", b"%d" % number)
            values = [record.value for record in await read_all(running.kafka.bootstrap, "topic")]
            assert values == [b"0", b"1"][: number + 1]
            async with AsyncElasticsearch(running.elasticsearch.url) as client:
                await client.index(index="index", id=str(number), document={"a": number}, refresh=True)
                assert (await client.count(index="index"))["count"] == number + 1


@pytest.mark.usefixtures("stack")
def test_a_port_that_is_taken_and_a_directory_in_use_are_named(tmp_path: Path) -> None:
    port = free_port()
    with Stack(tmp_path / "stack", kafka_port=port):
        with pytest.raises(PortTakenError, match=str(port)):
            Stack(tmp_path / "other", kafka_port=port).start()
        with pytest.raises(DataInUseError, match="stack"):
            Stack(tmp_path / "stack").start()


@pytest.mark.usefixtures("stack")
def test_a_download_that_lost_a_file_is_done_again(tmp_path: Path) -> None:
    cache = default_cache_dir()
    manifest = cache / "apache-kafka-4.1.0.json"
    jar = fetch(KAFKA, cache)[0]
    moved = tmp_path / "moved.jar"
    shutil.move(jar, moved)
    with pytest.raises(DownloadError, match="Kafka"):
        require([KAFKA], cache)
    shutil.move(moved, jar)
    assert manifest.is_file()
    require([KAFKA], cache)
    assert jar in fetch(KAFKA, cache)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_command_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "stack.log"
    command = [*FAUST, "stack", "--kafka-port", "0", "--elasticsearch-port", "0", "--data-dir", str(tmp_path / "data")]
    with running(command, log, cwd=tmp_path) as process:
        wait_for(lambda: "Ctrl-C ends both" in log.read_text(), 120, "the stack")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        os.kill(process.pid, number)
        process.wait(60)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    if number != signal.SIGKILL:
        assert process.returncode == 0
        assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("stack")
def test_nothing_is_deleted_while_a_stack_runs(tmp_path: Path) -> None:
    # Whatever goes wrong here: the downloads that all tests use are not to be lost.
    cache = tmp_path / "cache"
    cache.mkdir()
    for part in (default_cache_dir() / "repository", *default_cache_dir().glob("*.json")):
        (cache / part.name).symlink_to(part)
    with Stack(tmp_path / "stack", cache_dir=cache):
        for data_dir in (tmp_path / "stack", tmp_path / "other"):
            with pytest.raises(DataInUseError, match="end it first"):
                purge(data_dir, cache)
    assert purge(tmp_path / "stack", cache) > 0
    assert not (tmp_path / "stack").exists()
    assert fetch(KAFKA, default_cache_dir())


@pytest.mark.usefixtures("stack")
def test_offline_starts_where_nothing_is_missing(tmp_path: Path) -> None:
    with Stack(tmp_path / "stack", offline=True) as running:
        assert running.kafka.answers()


@pytest.mark.usefixtures("stack", "bare_path")
def test_the_demo_shows_anomalies_keeps_them_and_ends_cleanly(tmp_path: Path) -> None:
    seen = 0
    for number in range(2):
        log = tmp_path / f"demo-{number}.log"
        command = [*FAUST, "demo", "--kafka-port", "0", "--elasticsearch-port", "0", "--data-dir", "data"]
        environment = {**os.environ, "BP_FAUST_WEB_PORT": str(free_port()), "BP_FAUST_SIMULATION_INTERVAL": "0.2"}
        with running(command, log, cwd=tmp_path, env=environment) as process:
            seen = look_at_demo(log, seen)
            children = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(90) == 0
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
        assert "Traceback" not in log.read_text()


def look_at_demo(log: Path, seen: int) -> int:
    """Wait until a demo's page and Elasticsearch show more than so many anomalies; return how many the page shows."""
    page = wait_for(lambda: re.search(r"The page: (\S+)", log.read_text()), 150, "the demo")[1]
    elasticsearch = re.search(r"Elasticsearch at (\S+)", log.read_text())
    assert elasticsearch
    with urllib.request.urlopen(page, timeout=5) as response:
        assert b"<title>Blood pressure" in response.read()

    def shown() -> int:
        patients = answer_of(f"{page}patients/").get("patients", ())
        return sum(sum(patient["anomalies"].values()) for patient in patients)

    def indexed() -> int:
        return int(answer_of(f"{elasticsearch[1]}/blood_pressure_anomalies_v2/_count").get("count", 0))

    wait_for(lambda: shown() > seen, 90, "anomalies on the page")
    wait_for(lambda: indexed() > seen, 90, "anomalies in Elasticsearch")
    return shown()


def answer_of(url: str) -> dict[str, Any]:
    """Return the JSON of an address, empty where there is none yet."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return dict(json.load(response))
    except OSError:
        return {}


def test_without_a_registry_the_message_says_what_to_check(tmp_path: Path) -> None:
    environment = {**os.environ, "HTTPS_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "", "no_proxy": ""}
    script = "from pathlib import Path; from bp_faust.local.downloads import KAFKA, fetch; fetch(KAFKA, Path('cache'))"
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode != 0
    assert "check this machine's network" in told.stderr.splitlines()[-1]
