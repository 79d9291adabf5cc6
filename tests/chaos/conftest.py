"""Give the chaos suite a place for its figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.figures import Figures

_REPOSITORY = Path(__file__).parents[2]
_RESULTS = _REPOSITORY / ".cache" / "chaos"

_key = pytest.StashKey[Figures]()
_passed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest, full: bool) -> Figures:
    """Give the figures of this run; only those of the long forms are for quoting."""
    name = "figures.json" if full else "short-figures.json"
    found = Figures(_RESULTS / name, commit=_commit(), output=sys.__stderr__ or sys.stderr)
    request.config.stash[_key] = found
    return found


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


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
