"""Tell Prometheus how the worker stands at the moment somebody looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bp_faust.engine.application import App
from bp_faust.search.sink import Sink, are_reachable


class WorkerCollector(Collector):
    """Read lag, recovery and the writing to Elasticsearch from where they are kept."""

    def __init__(self, app: App, sinks: Sequence[Sink]) -> None:
        self._app = app
        self._sinks = sinks

    def describe(self) -> Iterable[Metric]:
        """Name nothing: there is nothing to look at before the worker runs."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield what holds now."""
        yield from self._of_kafka()
        yield from self._of_elasticsearch()

    def _of_kafka(self) -> Iterable[Metric]:
        app = self._app
        lag = GaugeMetricFamily(
            "bp_faust_lag_records",
            "By how many offsets finished work was behind the end of a partition that this worker has, when it last "
            "looked, which it does every 2 s. Transactions take offsets too, so that it may differ from the records.",
            labels=["topic", "partition"],
        )
        for tp, behind in sorted(app.lag.items()):
            lag.add_metric([tp.topic, str(tp.partition)], behind)
        yield lag
        yield GaugeMetricFamily("bp_faust_ready", "1 while /readyz answers 200, else 0.", value=app.is_ready)
        yield GaugeMetricFamily("bp_faust_recovering", "1 while tables are read up to date.", value=app.in_recovery)
        yield GaugeMetricFamily(
            "bp_faust_recovery_entries", "Changelog entries of the recovery under way.", value=app.entries_of_recovery
        )
        yield GaugeMetricFamily(
            "bp_faust_recovery_entries_left",
            "Changelog entries of the recovery under way that are still to be read.",
            value=app.entries_to_recover,
        )
        yield GaugeMetricFamily("bp_faust_hindrances", "Things that cannot be done for now.", value=len(app.hindrances))
        yield GaugeMetricFamily(
            "bp_faust_overdue", "Parts of the worker that have given no sign in time.", value=len(app.overdue)
        )

    def _of_elasticsearch(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "bp_faust_sink_reachable",
            "1 where the indices are there and Elasticsearch answered the last request, else 0.",
            value=are_reachable(self._sinks),
        )
        writers = [sink.writer for sink in self._sinks]
        for name, text, values in (
            ("requests", "Bulk requests to Elasticsearch, repeated ones included.", [one.requests for one in writers]),
            ("retries", "Times that a bulk request was put off, to be sent again.", [one.retries for one in writers]),
            ("documents", "Documents that Elasticsearch acknowledged.", [one.documents for one in writers]),
            ("refused_documents", "Documents that it refused for good.", [one.refused for one in writers]),
            ("write_seconds", "Seconds spent in writes, waiting included.", [one.seconds for one in writers]),
        ):
            yield CounterMetricFamily(f"bp_faust_elasticsearch_{name}", text, value=sum(values))
