"""Give the chaos suite a place for its figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.figures import Figures
from tests.chaos.steady_run import SteadyRun
from tests.worker_process import WorkerSettings

_RESULTS = Path(__file__).parents[2] / ".cache" / "chaos"

#: How long the worker's memory is watched, in seconds.
_STEADY_SECONDS = 3600.0
_SHORT_STEADY_SECONDS = 20.0

_key = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest, full: bool) -> Figures:
    """Give the figures of this run; only those of the long forms are for quoting."""
    config = request.config
    name = "figures.json" if full else "short-figures.json"
    found = Figures(_RESULTS / name, resume=bool(config.getoption("--resume")), output=sys.__stderr__ or sys.stderr)
    config.stash[_key] = found
    return found


@pytest.fixture(scope="session")
def steady_run(
    kafka: str,
    elasticsearch_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    full: bool,
    seed: int,
    figures: Figures,
) -> Iterator[SteadyRun]:
    """Give the installation that works at a steady rate; in the long form it began with the session."""
    settings = WorkerSettings.unique(kafka, elasticsearch_url, tmp_path_factory.mktemp("steady"))
    seconds = _STEADY_SECONDS if full else _SHORT_STEADY_SECONDS
    run = SteadyRun(settings, seconds, seed, _RESULTS / "steady-memory.csv", figures.say)
    yield run
    run.end()


@pytest.fixture(scope="session", autouse=True)
def _steady_run_beside_the_others(request: pytest.FixtureRequest, full: bool, figures: Figures) -> None:
    """Begin the steady hour at once where its test is to come, so that it takes no hour of its own."""
    waiting = [item for item in request.session.items if "steady_run" in getattr(item, "fixturenames", ())]
    resumed = request.config.getoption("--resume") and all(figures.has(item.nodeid) for item in waiting)
    if full and waiting and not resumed:
        request.getfixturevalue("steady_run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the test that waits for the steady hour behind all others."""
    items.sort(key=lambda item: "steady_run" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Print the table, and write it beside the figures."""
    yield
    figures = terminalreporter.config.stash.get(_key, None)
    if figures is None or figures.is_empty:
        return
    full = terminalreporter.config.getoption("--full")
    terminalreporter.section("Chaos" if full else "Chaos, in its short form: not for quoting")
    terminalreporter.write_line(figures.table())
    if full:
        (_RESULTS / "report.md").write_text(f"# What `make chaos` measured\n\n{figures.table()}")
