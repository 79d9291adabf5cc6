"""Draw throughput and CPU."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from benchmarks.measuring import Measurement
from benchmarks.report import Answer, median

mpl.use("Agg")

from matplotlib import pyplot as plt  # after the choice of a backend that needs no screen


def draw(answer: Answer, path: Path) -> None:
    """Draw the throughput section's contenders: records/s and CPU, medians with their spread."""
    found = {title: [Measurement(**one) for one in ones] for title, ones in answer.raw.items()}
    titles = list(found)
    figure, (rates, cpu) = plt.subplots(1, 2, figsize=(11, 0.7 * len(titles) + 1.4), sharey=True)
    _bars(rates, found, "rate", "records/s (more is better)")
    _bars(cpu, found, "cpu_per_100_000", "CPU seconds for 100,000 records, log scale (less is better)")
    rates.xaxis.set_major_formatter("{x:,.0f}")
    cpu.set_xscale("log")
    rates.invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _bars(axes: Axes, found: dict[str, list[Measurement]], attribute: str, label: str) -> None:
    values = {title: [getattr(one, attribute) for one in ones] for title, ones in found.items()}
    middles = {title: median(ones, lambda value: value) for title, ones in values.items()}
    errors = [
        [middles[title] - min(ones) for title, ones in values.items()],
        [max(ones) - middles[title] for title, ones in values.items()],
    ]
    colors = ["#c0392b" if number == 0 else "#7f8c8d" for number in range(len(values))]
    bars = axes.barh(list(middles), list(middles.values()), xerr=errors, color=colors, ecolor="#2c3e50", capsize=3)
    axes.bar_label(bars, [f"{value:,.1f}" if value < 100 else f"{value:,.0f}" for value in middles.values()], padding=6)
    axes.margins(x=0.2)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
