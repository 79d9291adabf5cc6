"""Give the chaos suite a place for its figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.figures import Figures
from tests.chaos.steady_run import SteadyRun
from tests.worker_process import WorkerSettings

_REPOSITORY = Path(__file__).parents[2]
_RESULTS = _REPOSITORY / ".cache" / "chaos"

#: How long the worker's memory is watched, in seconds.
_STEADY_SECONDS = 3600.0
_SHORT_STEADY_SECONDS = 20.0

_passed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def figures(full: bool) -> Figures:
    """Give the figures of this run; only those of the long forms are for quoting."""
    return _figures(full)


def _figures(full: bool) -> Figures:
    return Figures(_RESULTS / ("full" if full else "short"), commit=_commit(), output=sys.__stderr__ or sys.stderr)


@pytest.fixture(autouse=True)
def _of_this_test(request: pytest.FixtureRequest, figures: Figures) -> Iterator[None]:
    """Skip what a run before has figures of, where that is wished; else begin anew."""
    test = str(request.node.nodeid)
    if request.config.getoption("--resume") and figures.has(test):
        pytest.skip("the run before has its figures")
    figures.begin(test)
    yield
    if request.node.stash.get(_passed, False):
        figures.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how a test ended, for the fixture above."""
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


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
    full = terminalreporter.config.getoption("--full")
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    # Side by side, the tests ran in other processes than this one, which tells of them.
    if not any(getattr(report, "nodeid", "").startswith("tests/chaos/") for report in reports):
        return
    figures = _figures(full)
    if figures.is_empty:
        return
    terminalreporter.section("Chaos" if full else "Chaos, in its short form: not for quoting")
    terminalreporter.write_line(figures.table())
    if full:
        (_RESULTS / "report.md").write_text(f"# What `make chaos` measured\n\n{figures.table()}")


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
