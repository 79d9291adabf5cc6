"""Find what the dashboard and the alert rules ask Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[1] / "monitoring"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((MONITORING / "alert-rules.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana" / "dashboards" / "workers.json").read_text())


def expressions() -> list[str]:
    """Return every expression of the rules and the dashboard."""
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in RULES] + shown


def metrics_of(expression: str) -> set[str]:
    """Return the names of our metrics in an expression."""
    quoted = re.compile(r'"[^"]*"')
    return set(re.findall(r"\bbp_faust_\w+", quoted.sub("", expression)))
