"""What commands print, and how they end."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from aiokafka.errors import KafkaTimeoutError
from rich.console import Console
from rich.text import Text

from bp_faust.commands.command import run_told
from bp_faust.commands.terminal import print_rows
from bp_faust.engine.errors import TopicError
from bp_faust.input_files import InputFileError

ROWS = [(Text("ok", "green"), "a rather long text"), (Text("wrong", "red"), "[another]")]


def raising(error: BaseException) -> Callable[[], Any]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    "error", [TopicError("There is none."), InputFileError("There is none."), KafkaTimeoutError("There is none.")]
)
def test_what_people_can_mend_is_told_in_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_told(raising(error)) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("Error: ")
    assert "There is none" in told


def test_wrong_usage_ctrl_c_and_success_have_their_statuses() -> None:
    assert run_told(raising(click.UsageError("That is not how."))) == 2
    assert run_told(raising(KeyboardInterrupt())) == 130
    assert run_told(lambda: None) == 0


def test_a_reader_that_goes_away_leaves_no_trace() -> None:
    script = (
        "from bp_faust.commands.command import run_told; raise SystemExit(run_told(lambda: print('x\\n' * 1_000_000)))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 141
    process.stderr.close()


def test_rows_are_tabs_for_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("how", "what"), ROWS)
    assert capsys.readouterr().out == "ok\ta rather long text\nwrong\t[another]\n"
    print_rows(("how", "what"), [], nothing="Nothing.")
    assert capsys.readouterr().out == ""


def test_rows_are_a_table_that_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, color_system=None, width=24)
    monkeypatch.setattr("bp_faust.commands.terminal.Console", lambda **options: terminal)
    print_rows(("how", "what"), ROWS, whole=("how",))
    lines = re.sub(r"\x1b\[\d*m", "", shown.getvalue()).splitlines()
    assert max(map(len, lines)) == 24
    assert "wrong" in "".join(lines)
    assert "[another]" in "".join(lines)
    shown.truncate(0)
    print_rows(("how", "what"), [], nothing="Nothing.")
    assert shown.getvalue().strip("\0") == "Nothing.\n"
