"""Collect the figures of the chaos suite, and write them down as a table."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Figure:
    """Hold one figure: of which case, what is counted, what it is to be, what it is; by which test, of what commit."""

    case: str
    figure: str
    goal: str
    measured: str
    reached: bool
    test: str
    commit: str
    #: Whether the test that found it went through to its end.
    passed: bool = False


class Figures:
    """Hold the figures of this run and of runs before; each is in the file as soon as it is known.

    A test that runs again replaces its figures.
    """

    def __init__(self, path: Path, *, commit: str, output: TextIO) -> None:
        self._path = path
        self._commit = commit
        self._output = output
        self._started = time.monotonic()
        self._test = ""
        self._found: list[Figure] = []
        if path.exists():
            self._found = [Figure(**figure) for figure in json.loads(path.read_text())]

    def say(self, text: str) -> None:
        """Tell whoever watches how far it is."""
        self._output.write(f"\n  {time.monotonic() - self._started:7.0f} s  {text}")
        self._output.flush()

    def has(self, test: str) -> bool:
        """Tell whether a run before has all figures of a test."""
        return any(figure.test == test and figure.passed for figure in self._found)

    def begin(self, test: str) -> None:
        """Take what is added from now on for a test's, in place of what it had before."""
        self._test = test
        self._keep([figure for figure in self._found if figure.test != test])

    def end(self) -> None:
        """Note that the test went through to its end."""
        self._keep([replace(one, passed=True) if one.test == self._test else one for one in self._found])

    def add(self, case: str, figure: str, goal: str, measured: str, *, reached: bool) -> None:
        """Add a figure."""
        found = Figure(case, figure, goal, measured, reached, self._test, self._commit)
        self._keep([*self._found, found])
        self.say(f"{case}: {figure}: {measured} ({'reached' if reached else 'NOT reached'}: {goal})")

    def _keep(self, found: list[Figure]) -> None:
        self._found = found
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps([asdict(one) for one in found], indent=1))

    def table(self) -> str:
        """Return the figures as a Markdown table, in the order of the cases."""
        lines = ["| case | figure | goal | measured | reached | commit |", "|---|---|---|---|---|---|"]
        for one in sorted(self._found, key=lambda found: int(found.case.partition(" ")[0])):
            cells = [one.case, one.figure, one.goal, one.measured, "yes" if one.reached else "**no**", one.commit]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    @property
    def is_empty(self) -> bool:
        """Tell whether there is none."""
        return not self._found
