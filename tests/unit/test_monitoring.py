"""The dashboard, the alert rules and what serves them fit together."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest
import yaml

from tests.monitoring_expressions import DASHBOARD, MONITORING, RULES, expressions, metrics_of

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((MONITORING.parent / "docker-compose.yml").read_text())["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_is_one_that_prometheus_understands(expression: str) -> None:
    promql_parser.parse(expression)
    assert metrics_of(expression) or 'up{job="bp_faust"}' in expression


def test_every_rule_says_how_grave_it_is_and_what_is_wrong() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_every_rule_is_explained() -> None:
    explained = (MONITORING.parent / "docs" / "how-to" / "monitoring.md").read_text()
    assert not [rule["alert"] for rule in RULES if f"| `{rule['alert']}` |" not in explained]


def test_the_panels_have_their_own_ids_and_places() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_prometheus_finds_the_workers_and_shows_them_their_token() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["worker"]
    assert str(found["port"]) == SERVICES["worker"]["ports"][0].rpartition(":")[2]
    prometheus = SERVICES["prometheus"]
    token = prometheus["environment"]["BP_FAUST_WEB_TOKEN"]
    assert token == SERVICES["worker"]["environment"]["BP_FAUST_WEB_TOKEN"]
    assert f"> {job['authorization']['credentials_file']}" in prometheus["entrypoint"][-1]
    mounted = {volume.split(":")[1] for volume in prometheus["volumes"]}
    assert set(PROMETHEUS["rule_files"]) < mounted


def test_grafana_asks_this_prometheus_and_shows_this_dashboard() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "files.yml").read_text())["providers"]
    assert f"./monitoring/grafana/dashboards:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_monitoring_is_started_only_when_asked_for_and_listens_to_this_machine(service: str) -> None:
    assert SERVICES[service]["profiles"] == ["monitoring"]
    assert not SERVICES[service]["image"].endswith(":latest")
    assert ":" in SERVICES[service]["image"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service]["ports"])
