"""Collect the figures of the chaos suite, and write them down as a table."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Figure:
    """Hold one figure: of which case, what is counted, what it is to be, what it is, and at what commit."""

    case: str
    figure: str
    goal: str
    measured: str
    reached: bool
    commit: str
    #: Whether the test that found it went through to its end.
    passed: bool = False


class Figures:
    """Hold the figures of this run and of runs before, those of each test in a file of its own as soon as known.

    A test that runs again replaces its figures; runs side by side do not disturb each other.
    """

    def __init__(self, directory: Path, *, commit: str, output: TextIO) -> None:
        self._directory = directory
        self._commit = commit
        self._output = output
        self._started = time.monotonic()
        self._test = ""

    def say(self, text: str) -> None:
        """Tell whoever watches how far it is."""
        self._output.write(f"\n  {time.monotonic() - self._started:7.0f} s  {text}")
        self._output.flush()

    def has(self, test: str) -> bool:
        """Tell whether a run before has all figures of a test."""
        return any(figure.passed for figure in self._read(self._file(test)))

    def begin(self, test: str) -> None:
        """Take what is added from now on for a test's, in place of what it had before."""
        self._test = test
        self._file(test).unlink(missing_ok=True)

    def end(self) -> None:
        """Note that the test went through to its end."""
        self._write([replace(figure, passed=True) for figure in self._read(self._file(self._test))])

    def add(self, case: str, figure: str, goal: str, measured: str, *, reached: bool) -> None:
        """Add a figure."""
        found = Figure(case, figure, goal, measured, reached, self._commit)
        self._write([*self._read(self._file(self._test)), found])
        self.say(f"{case}: {figure}: {measured} ({'reached' if reached else 'NOT reached'}: {goal})")

    def _file(self, test: str) -> Path:
        return self._directory / f"{re.sub('[^a-z0-9_]+', '-', test.rpartition('/')[2])}.json"

    def _read(self, path: Path) -> list[Figure]:
        return [Figure(**figure) for figure in json.loads(path.read_text())] if path.exists() else []

    def _write(self, figures: list[Figure]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._file(self._test).write_text(json.dumps([asdict(figure) for figure in figures], indent=1))

    def _all(self) -> list[Figure]:
        return [figure for path in sorted(self._directory.glob("*.json")) for figure in self._read(path)]

    def table(self) -> str:
        """Return the figures as a Markdown table, in the order of the cases."""
        lines = ["| case | figure | goal | measured | reached | commit |", "|---|---|---|---|---|---|"]
        for one in sorted(self._all(), key=lambda found: int(found.case.partition(" ")[0])):
            cells = [one.case, one.figure, one.goal, one.measured, "yes" if one.reached else "**no**", one.commit]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    @property
    def is_empty(self) -> bool:
        """Tell whether there is none."""
        return not self._all()
