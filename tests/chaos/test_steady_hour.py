"""At a steady rate a worker's memory does not grow: an hour, beside all other tests of this folder."""

from __future__ import annotations

from tests.chaos.figures import Figures
from tests.chaos.memory import MB
from tests.chaos.steady_run import END, PATIENTS, RATE, WARM, SteadyRun
from tests.chaos.truth import assert_counted, assert_indexed
from tests.pipeline import wait_until_drained

CASE = "8 bounded"
GROWTH = 0.05


async def test_memory_does_not_grow_at_a_steady_rate(steady_run: SteadyRun, figures: Figures) -> None:
    dataset = await steady_run.wait()
    await wait_until_drained(steady_run.settings)
    warm, end = steady_run.resident(WARM), steady_run.resident(END)
    growth = end / warm - 1
    figures.add(
        CASE,
        f"growth of resident memory over {steady_run.seconds:.0f} s at {RATE:.0f} readings/s of {PATIENTS:,} patients",
        f"under {GROWTH:.0%}",
        f"{growth:+.1%}: from {warm / MB:.0f} MB (median of {_span(steady_run, WARM)}) to {end / MB:.0f} MB "
        f"(median of {_span(steady_run, END)}); {dataset.records:,} readings",
        reached=growth < GROWTH,
    )
    await assert_counted(steady_run.worker, dataset)
    await assert_indexed(steady_run.settings, dataset)


def _span(steady_run: SteadyRun, part: tuple[float, float]) -> str:
    return f"seconds {part[0] * steady_run.seconds:.0f} to {part[1] * steady_run.seconds:.0f}"
