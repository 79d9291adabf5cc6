"""What the doctor finds in settings, on this machine, and in what servers tell."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from bp_faust.app import app
from bp_faust.doctor import machine
from bp_faust.doctor.elasticsearch import _clock, _version
from bp_faust.doctor.findings import Finding, finding
from bp_faust.doctor.settings import known_variables, look_at_policies, look_at_settings
from bp_faust.engine.data_directory import is_in_use, lock_data_directory
from bp_faust.engine.errors import StateError, TopicError
from bp_faust.search.inspection import Node
from bp_faust.settings.fields import Settings
from bp_faust.settings.reference import settings_table

SECRET = "a-secret-of-enough-characters"


class Conf:
    """Stand for Faust's settings."""

    SETTINGS = app.conf.SETTINGS
    broker = app.conf.broker
    web_enabled = True
    web_bind = web_host = "127.0.0.1"

    def __init__(self, **changed: Any) -> None:
        self.__dict__.update(changed)


def told(conf: Any = None, environment: dict[str, str] | None = None, **chosen: Any) -> list[Finding]:
    settings = Settings(**{"simulation_interval": 0.0, **chosen})
    return look_at_settings(settings, conf or Conf(), environment or {})


@pytest.fixture(autouse=True)
def no_settings_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BP_FAUST_"):
            monkeypatch.delenv(name)


def elsewhere() -> Conf:
    return Conf(broker=[type(app.conf.broker[0])("kafka://kafka.example.org:9092")])


def test_settings_that_go_together_are_well() -> None:
    assert told() == [Finding("settings", "ok", "They go together.")]
    assert told(simulation_interval=1.0)[0].outcome == "ok"


def test_a_web_server_for_everyone_without_a_token_is_wrong() -> None:
    (found,) = told(Conf(web_bind="0.0.0.0", web_host="ward.example.org"))
    assert (found.outcome, "BP_FAUST_WEB_TOKEN is not set" in found.text) == ("wrong", True)
    assert told(Conf(web_bind="0.0.0.0", web_host="ward.example.org"), web_token=SECRET)[0].outcome == "ok"
    assert told(Conf(web_bind="0.0.0.0", web_enabled=False, web_host="a"))[0].outcome == "ok"


@pytest.mark.parametrize(
    ("part", "conf", "chosen"),
    [
        ("set BP_FAUST_SIMULATION_INTERVAL to 0", elsewhere(), {"simulation_interval": 1.0}),
        ("signs in on kafka.example.org without TLS", elsewhere(), {"broker_security_protocol": "SASL_PLAINTEXT"}),
        (
            "go to search.example.org without TLS",
            Conf(),
            {"elasticsearch_url": "http://search.example.org:9200", "elasticsearch_api_key": SECRET},
        ),
        ("leave one of them out", Conf(), {"elasticsearch_username": "a", "elasticsearch_api_key": SECRET}),
        ("BP_FAUST_ELASTICSEARCH_PASSWORD is not used", Conf(), {"elasticsearch_password": SECRET}),
        ("set BP_FAUST_FHIR_OUTPUT to true", Conf(), {"fhir_subscriber_url": f"https://fhir.example.org/{SECRET}"}),
        ("set BP_FAUST_WEB_HOST", Conf(web_bind="10.1.2.3"), {"web_token": SECRET}),
    ],
)
def test_what_does_not_go_together_is_a_warning(part: str, conf: Conf, chosen: dict[str, Any]) -> None:
    (found,) = told(conf, **chosen)
    assert found.outcome == "warning"
    assert part in found.text
    assert SECRET not in found.text


def test_misspelt_variables_are_named_with_what_may_be_meant() -> None:
    found = told(None, {"BP_FAUST_ELASTICSEARCH_URI": SECRET, "BP_FAUST_NONSENSE": SECRET, "BP_FAUST_WEB_PORT": "1"})
    assert [one.text for one in found] == [
        "BP_FAUST_ELASTICSEARCH_URI is not known, and does nothing: BP_FAUST_ELASTICSEARCH_URL may be meant.",
        "BP_FAUST_NONSENSE is not known, and does nothing: correct it, or leave it out.",
    ]


def test_all_documented_variables_are_known() -> None:
    known = known_variables(app.conf)
    documented = {line.split("`")[1] for line in settings_table().splitlines() if line.startswith("| `")}
    assert documented < known
    assert {"BP_FAUST_WEB_TOKEN_FILE", "BP_FAUST_CACHE_DIR", "BP_FAUST_BROKER_REQUEST_TIMEOUT"} < known


def test_policies_are_named() -> None:
    shown = look_at_policies(Settings(policy="esc-2024", measurement_setting="home"))
    assert shown == Finding("policies", "ok", "esc-2024 for home readings.")


async def directory(path: Path) -> Finding:
    return await finding("data directory", machine.look_at_data_directory(path))


async def test_a_data_directory_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there"
    assert "made when a worker starts" in (await directory(path)).text
    assert not path.parent.exists()
    path.mkdir(parents=True)
    assert "free to use" in (await directory(path)).text
    lock = lock_data_directory(path)
    found = await directory(path)
    assert (found.outcome, "in use by a worker" in found.text) == ("ok", True)
    assert is_in_use(path)
    lock.release()
    assert not is_in_use(path)


async def test_a_data_directory_that_cannot_be_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = await directory(tmp_path / "file" / "data")
    assert (found.outcome, "set BP_FAUST_DATADIR" in found.text) == ("wrong", True)


async def test_a_disk_that_is_nearly_full_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LITTLE_BYTES", 1 << 62)
    assert (await directory(tmp_path)).outcome == "warning"


async def test_a_worker_that_starts_waits_for_who_only_looks(tmp_path: Path) -> None:
    def start() -> None:
        lock_data_directory(tmp_path).release()

    looking = lock_data_directory(tmp_path)
    asyncio.get_running_loop().call_later(0.1, looking.release)
    await asyncio.to_thread(start)
    held = lock_data_directory(tmp_path)
    with pytest.raises(StateError, match="in use by another worker"):
        await asyncio.to_thread(start)
    held.release()


async def test_a_look_that_fails_or_takes_long_is_wrong() -> None:
    async def fail() -> Any:
        raise TopicError("something is missing")

    async def hang() -> Any:
        await asyncio.Event().wait()

    assert await finding("a", fail()) == Finding("a", "wrong", "Something is missing.")
    found = await finding("a", hang(), 0.01)
    assert found.outcome == "wrong"
    assert found.text.startswith("No answer came within")


def answered(node: Node | None) -> asyncio.Future[Node | None]:
    future: asyncio.Future[Node | None] = asyncio.get_running_loop().create_future()
    future.set_result(node)
    return future


@pytest.mark.parametrize(
    ("ahead", "outcome", "part"),
    [
        (0.4, "ok", "Within 1 s"),
        (-9.6, "ok", "Within 10 s"),
        (61.0, "warning", "is 61 s behind"),
        (-3600.0, "warning", "is 3600 s ahead of"),
    ],
)
async def test_clocks_that_are_apart_are_a_warning(ahead: float, outcome: str, part: str) -> None:
    found, text = await _clock(answered(Node("8.9.0", ahead)))
    assert found == outcome
    assert part in text


async def test_versions_that_the_client_cannot_speak_to_are_wrong() -> None:
    assert (await _version(answered(Node("8.9.0", 0))))[0] == "ok"
    assert (await _version(answered(Node("7.17.1", 0))))[0] == "wrong"
    assert (await _version(answered(None)))[0] == "skipped"
