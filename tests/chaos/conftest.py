"""Give the chaos suite a place for its figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.figures import Figures

_RESULTS = Path(__file__).parents[2] / ".cache" / "chaos"

_key = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest, full: bool) -> Figures:
    """Give the figures of this run; only those of the long forms are for quoting."""
    config = request.config
    name = "figures.json" if full else "short-figures.json"
    found = Figures(_RESULTS / name, resume=bool(config.getoption("--resume")), output=sys.__stderr__ or sys.stderr)
    config.stash[_key] = found
    return found


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
