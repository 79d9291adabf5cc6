"""Imports point one way: what decides knows nothing of Faust, Kafka or Elasticsearch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bp_faust.app import app

PACKAGE = Path(__file__).parents[2] / "bp_faust"
PURE = [
    "fhir",
    "clinical",
    "simulation",
    "models.py",
    "pseudonyms.py",
    "event_documents.py",
    "yaml_files.py",
    "telemetry/installation.py",
    "search/charts.py",
]
EDGES = {"faust", "mode", "aiokafka", "elasticsearch", "elastic_transport", "rocksdict", "aiohttp"}
CHANCE_AND_CLOCK = {"random", "secrets", "time"}
CLOCK = {"now", "utcnow", "today"}
CHANCE_IN_UUID = {"uuid.uuid1", "uuid.uuid4"}
FAUST_SIDE = {module.removeprefix("bp_faust.") for module in app.conf.autodiscover}


def modules(*names: str) -> list[Path]:
    found: list[Path] = []
    for name in names:
        path = PACKAGE / name
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def imported(path: Path) -> set[str]:
    """Return the dotted names of what a module imports, relative imports made absolute."""
    package = ["bp_faust", *path.relative_to(PACKAGE).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def calls(path: Path) -> set[str]:
    """Return the names of the methods that a module calls."""
    return {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


@pytest.mark.parametrize("path", modules(*PURE), ids=str)
def test_the_pure_parts_import_no_edge(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported(path)} & EDGES
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("bp_faust.")}
    assert ours <= {"fhir", "clinical", "simulation", "models", "yaml_files"}


@pytest.mark.parametrize(
    "path", modules("fhir", "clinical", "models.py", "pseudonyms.py", "event_documents.py", "yaml_files.py"), ids=str
)
def test_the_pure_parts_read_no_clock_and_roll_no_dice(path: Path) -> None:
    names = imported(path)
    assert not {name.partition(".")[0] for name in names} & CHANCE_AND_CLOCK
    assert not names & CHANCE_IN_UUID
    assert not calls(path) & CLOCK


@pytest.mark.parametrize("path", modules("simulation"), ids=str)
def test_the_simulation_reads_no_clock_and_rolls_only_dice_that_a_seed_made(path: Path) -> None:
    names = imported(path)
    assert {name for name in names if name.partition(".")[0] in CHANCE_AND_CLOCK} <= {"random", "random.Random"}
    assert not names & CHANCE_IN_UUID
    assert not calls(path) & CLOCK
    unseeded = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Random" and not node.args
    ]
    assert not unseeded


@pytest.mark.parametrize("name", sorted(FAUST_SIDE))
def test_agents_timers_views_and_commands_never_import_each_other(name: str) -> None:
    ours = {part.removeprefix("bp_faust.") for part in imported(PACKAGE / f"{name.replace('.', '/')}.py")}
    assert not ours & (FAUST_SIDE - {name})


@pytest.mark.parametrize("path", modules("engine"), ids=str)
def test_the_engine_knows_nothing_of_blood_pressure(path: Path) -> None:
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("bp_faust.")}
    assert ours <= {"engine"}
