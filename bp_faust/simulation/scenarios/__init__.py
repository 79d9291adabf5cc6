"""Find scenarios: those that ship with bp_faust, and those of a site's own files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bp_faust.simulation.scenario import Scenario, ScenarioError, read_scenario


def shipped() -> list[str]:
    """Return the ids of the scenarios in this folder."""
    return sorted(
        file.name.removesuffix(".yaml") for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml")
    )


def find_scenario(name: str) -> Scenario:
    """Return a scenario by its id, or by the path of its file; raise ScenarioError where that is none."""
    if name in shipped():
        return read_scenario((resources.files(__name__) / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
    if not name.endswith((".yaml", ".yml")):
        raise ScenarioError(
            f"There is no scenario {name!r}: name one of {', '.join(shipped())}, or the path of a file that ends in "
            ".yaml."
        )
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as exc:
        raise ScenarioError(f"The scenario file {name} cannot be read: {exc}.") from exc
    return read_scenario(text, name)
