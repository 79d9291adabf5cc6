"""Check docker-compose.yml and the worker's image without Docker."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr

from bp_faust.settings.fields import FAUST_SETTINGS, Settings

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
INSTRUCTIONS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)

#: The seed's services: image, container name, published ports.
SEED = {
    "zookeeper": ("confluentinc/cp-zookeeper:7.4.0", "blood_pressure_fhir-zookeeper-1", ["2181:2181"]),
    "kafka": ("confluentinc/cp-kafka:7.4.0", "blood_pressure_fhir-kafka-1", ["9092:9092", "9093:9093"]),
    "elasticsearch": (
        "docker.elastic.co/elasticsearch/elasticsearch:8.9.0",
        "blood_pressure_fhir-elasticsearch-1",
        ["9200:9200"],
    ),
    "kibana": ("docker.elastic.co/kibana/kibana:8.9.0", "blood_pressure_fhir-kibana-1", ["5601:5601"]),
}
#: The seed's environment, every value as it was.
SEED_ENVIRONMENT = {
    "zookeeper": {
        "ZOOKEEPER_CLIENT_PORT": "2181",
        "KAFKA_OPTS": "-Dzookeeper.4lw.commands.whitelist=ruok,stat,conf,isro,mntr",
    },
    "kafka": {
        "KAFKA_ZOOKEEPER_CONNECT": "blood_pressure_fhir-zookeeper-1:2181",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://blood_pressure_fhir-kafka-1:9092,PLAINTEXT_HOST://localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,PLAINTEXT_HOST://0.0.0.0:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    },
    "elasticsearch": {"discovery.type": "single-node", "xpack.security.enabled": "false"},
    "kibana": {"ELASTICSEARCH_HOSTS": "http://blood_pressure_fhir-elasticsearch-1:9200"},
}
#: The ports on which the services listen inside the network.
LISTENING = {"zookeeper": {2181}, "kafka": {9092, 9093}, "elasticsearch": {9200}, "kibana": {5601}, "worker": {6066}}


def _environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def _service_at(host: str) -> str:
    """Find the service that a name leads to inside the network."""
    names = {service: service for service in SERVICES}
    names.update(
        {settings["container_name"]: service for service, settings in SERVICES.items() if "container_name" in settings}
    )
    return names[host]


def _ports_of(service: str) -> list[str]:
    ports: list[str] = SERVICES[service].get("ports", [])
    return ports


def _ports(listeners: str) -> dict[str, int]:
    """Read the ports from Kafka's NAME://host:port,NAME://host:port."""
    return {one.partition("://")[0]: int(one.rpartition(":")[2]) for one in listeners.split(",")}


@pytest.mark.parametrize("service", SEED)
def test_the_services_of_the_seed_keep_image_name_and_ports(service: str) -> None:
    settings = SERVICES[service]
    assert (settings["image"], settings["container_name"], settings["ports"]) == SEED[service]


@pytest.mark.parametrize("service", SEED)
def test_the_services_of_the_seed_keep_their_environment(service: str) -> None:
    assert SEED_ENVIRONMENT[service].items() <= _environment(service).items()


def test_one_broker_is_enough_for_transactions() -> None:
    added = _environment("kafka").items() - SEED_ENVIRONMENT["kafka"].items()
    assert added == {
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
    }


def test_every_advertised_listener_is_listened_on_and_has_a_protocol() -> None:
    environment = _environment("kafka")
    listeners = _ports(environment["KAFKA_LISTENERS"])
    protocols = dict(one.split(":") for one in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert _ports(environment["KAFKA_ADVERTISED_LISTENERS"]) == listeners
    assert protocols.keys() == listeners.keys()
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in listeners
    published = {int(port.split(":")[0]) for port in SERVICES["kafka"]["ports"]}
    assert published == set(listeners.values())


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_waits_for_is_there_and_can_become_true(service: str) -> None:
    for name, rule in SERVICES[service].get("depends_on", {}).items():
        assert rule["condition"] in ("service_healthy", "service_started")
        if rule["condition"] == "service_healthy":
            assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_volume_is_declared_and_every_mounted_file_is_in_the_repository(service: str) -> None:
    for volume in SERVICES[service].get("volumes", ()):
        if isinstance(volume, dict):
            assert volume["type"] == "volume"
            assert "source" not in volume
            continue
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (REPOSITORY / source).exists(), f"{source} is mounted by {service}"
        else:
            assert source in COMPOSE["volumes"]


def test_every_declared_volume_is_used() -> None:
    mounted = {str(volume).split(":")[0] for settings in SERVICES.values() for volume in settings.get("volumes", ())}
    assert COMPOSE["volumes"].keys() <= mounted


@pytest.mark.parametrize(
    "address",
    [
        "zookeeper://" + _environment("kafka")["KAFKA_ZOOKEEPER_CONNECT"],
        _environment("kafka")["KAFKA_ADVERTISED_LISTENERS"].split(",")[0],
        _environment("kibana")["ELASTICSEARCH_HOSTS"],
        _environment("worker")["BP_FAUST_BROKER_URL"],
        _environment("worker")["BP_FAUST_ELASTICSEARCH_URL"],
        *re.findall(r"http://[^'\s]+", SERVICES["kibana-setup"]["command"][-1]),
    ],
)
def test_every_address_leads_to_a_service_that_listens_there(address: str) -> None:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port in LISTENING[_service_at(parts.hostname)]


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - {"kibana-setup", "worker"}))
def test_every_lasting_service_has_a_health_check_and_keeps_its_data(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD-SHELL"
    if service != "kibana":  # Kibana keeps everything in Elasticsearch
        assert any(str(volume).split(":")[0] in COMPOSE["volumes"] for volume in SERVICES[service]["volumes"])


def test_kibana_is_given_every_saved_object_once() -> None:
    setup = SERVICES["kibana-setup"]
    assert setup["image"] == SERVICES["kibana"]["image"]
    assert setup["restart"] == "no"
    assert setup["depends_on"] == {"kibana": {"condition": "service_healthy"}}
    assert "./kibana:/saved-objects:ro" in setup["volumes"]
    assert "/saved-objects/*.ndjson" in setup["command"][-1]
    assert list((REPOSITORY / "kibana").glob("*.ndjson"))


def test_several_workers_can_run_side_by_side() -> None:
    worker = SERVICES["worker"]
    assert "container_name" not in worker
    (port,) = worker["ports"]
    address, published, inside = port.split(":")
    first, last = map(int, published.split("-"))
    assert (address, first, int(inside)) == ("127.0.0.1", 6066, 6066)
    assert last > first
    taken = {
        int(one.rpartition(":")[0].rpartition(":")[2])
        for name in SERVICES.keys() - {"worker"}
        for one in _ports_of(name)
    }
    assert not set(range(first, last + 1)) & taken
    # What must differ between workers is nothing that compose gives to all of them alike.
    own = {"BP_FAUST_WEB_HOST", "BP_FAUST_WEB_PORT", "BP_FAUST_DATADIR", "HOSTNAME"}
    assert not own & _environment("worker").keys()
    assert "hostname" not in worker
    assert all(volume["type"] == "volume" and "source" not in volume for volume in worker["volumes"])
    assert '--web-host=\\"$HOSTNAME\\"' in dict(INSTRUCTIONS)["CMD"]


def test_three_workers_find_partitions_enough_and_the_same_ones_each_time() -> None:
    # Topics are made by the first worker, with its own settings' number of partitions.
    assert "BP_FAUST_TOPIC_PARTITIONS" not in _environment("worker")
    partitions, _ = FAUST_SETTINGS["TOPIC_PARTITIONS"]
    assert partitions >= 3


def test_the_workers_listen_to_all_with_a_token_and_are_published_to_this_machine() -> None:
    image = dict(INSTRUCTIONS)
    assert "BP_FAUST_WEB_BIND=0.0.0.0" in image["ENV"]
    variable, _, default = _environment("worker")["BP_FAUST_WEB_TOKEN"].strip("${}").partition(":-")
    assert variable == "BP_FAUST_WEB_TOKEN"
    Settings(web_token=SecretStr(default))  # long enough to start with
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["worker"]["ports"])


def test_the_worker_runs_unprivileged_on_a_read_only_file_system() -> None:
    worker = SERVICES["worker"]
    assert worker["read_only"] is True
    assert worker["tmpfs"] == ["/tmp"]
    image = dict(INSTRUCTIONS)
    user = image["USER"]
    assert int(user) > 0
    assert f"useradd --uid {user} " in " ".join(arguments for name, arguments in INSTRUCTIONS if name == "RUN")
    assert [volume["target"] for volume in worker["volumes"]] == [image["VOLUME"]] == ["/data"]
    assert "BP_FAUST_DATADIR=/data" in image["ENV"]


def test_the_image_starts_the_worker_and_asks_it_whether_it_lives() -> None:
    image = dict(INSTRUCTIONS)
    assert "faust -A bp_faust worker" in image["CMD"]
    assert image["EXPOSE"] == "6066"
    command = yaml.safe_load(image["HEALTHCHECK"].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "http://127.0.0.1:6066/livez" in command[2]


def test_the_image_holds_only_what_is_pinned_by_hash() -> None:
    installs = [arguments for name, arguments in INSTRUCTIONS if name == "RUN" and "pip install" in arguments]
    assert all("--require-hashes --requirement requirements.lock" in one or "--no-deps" in one for one in installs)
    assert len(installs) == 2


def test_everything_the_image_is_built_from_is_there_and_not_ignored() -> None:
    kept = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source
        for name, arguments in INSTRUCTIONS
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]
    assert sorted(copied) == sorted(kept)
    for source in copied:
        assert (REPOSITORY / source).exists(), f"{source} is copied into the image"
