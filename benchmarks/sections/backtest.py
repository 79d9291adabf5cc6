"""Ask how fast two policies are compared on readings from a file, beside reading them alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders import Names, environment
from benchmarks.dataset import Dataset
from benchmarks.measuring import Bench
from benchmarks.report import Answer, median, spread
from benchmarks.sections.throughput import PATIENTS

_READINGS = 1_000_000
_SHORT_READINGS = 20_000


@dataclass(frozen=True)
class CommandMeasurement:
    """Hold what a command took, its start included."""

    readings: int
    seconds: float
    cpu_seconds: float
    #: The most memory that it had, in bytes.
    resident: int


async def answer(bench: Bench) -> Answer:
    """Time the command, and a process that decodes the same file."""
    readings = _SHORT_READINGS if bench.short else _READINGS
    path = bench.directory / "readings.ndjson"
    with path.open("wb") as file:
        file.writelines(record + b"\n" for record in Dataset(readings, PATIENTS).envelopes())
    faust = str(Path(sys.executable).parent / "faust")
    command = [faust, "-A", "bp_faust", "--json", "backtest", "--policy", "aha-2025", "--against", "seed"]
    cases = {
        "faust -A bp_faust backtest --policy aha-2025 --against seed": [*command, "--file", str(path)],
        "decoding alone": [sys.executable, "-m", "benchmarks.contenders.decode_alone", str(path)],
    }
    measured: dict[str, list[CommandMeasurement]] = {title: [] for title in cases}
    for repeat in range(bench.repeats):
        for title, words in cases.items():
            bench.say(f"backtest, repeat {repeat + 1}: {title}")
            async with bench.run() as run:
                measured[title].append(_run(words, run.names, readings))
    result = Answer(
        "Backtest",
        f"A file of {readings:,} readings: the command judges each by both policies and follows its patient's alerts; "
        "beside it, a process that only reads and decodes the same file. From the process's start to its end.",
        ["command", "readings/s", "CPU s for 100,000", "most memory, MB"],
    )
    for title, those in measured.items():
        result.raw[title] = [asdict(one) for one in those]
        result.rows.append(
            [
                title,
                spread(those, lambda m: m.readings / m.seconds),
                spread(those, lambda m: m.cpu_seconds / m.readings * 100_000, 2),
                spread(those, lambda m: m.resident / 1_000_000),
            ]
        )
    rates = [median(those, lambda m: m.readings / m.seconds) for those in measured.values()]
    result.notes.append(f"The command runs at {rates[0] / rates[1]:.0%} of the speed of decoding alone.")
    return result


def _run(command: Sequence[str], names: Names, readings: int) -> CommandMeasurement:
    log = names.directory / "backtest.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            env={**environment(names), "BP_FAUST_DATADIR": str(names.directory)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {log.read_text(errors='replace')}")
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return CommandMeasurement(readings, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
