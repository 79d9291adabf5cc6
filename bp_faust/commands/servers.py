"""Add the commands worker, generate, stack and demo: the pipeline, an Observation, the servers, everything."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click
import orjson
from faust.cli import option
from faust.cli.worker import worker as faust_worker

from bp_faust.app import app, settings
from bp_faust.commands.command import Command, run_told
from bp_faust.commands.output_files import output_file
from bp_faust.engine.log_lines import json_line
from bp_faust.fhir.resources import InvalidResource, observation, validate
from bp_faust.input_files import InputFileError
from bp_faust.local.downloads import default_cache_dir
from bp_faust.local.foreground import ended_by_signals
from bp_faust.local.purging import purge
from bp_faust.local.stack import Stack
from bp_faust.local.worker import Worker
from bp_faust.settings.reading import told_in_form
from bp_faust.views.access import check_web_bind

#: Of a server; 0 for any free one.
_PORT = click.IntRange(0, 65535)

_LOOK_ONLY = (
    "\nOn it you can look. To acknowledge alerts and to mend refused records there, end this and start it with a token "
    "to sign in with, of 16 characters or more: BP_FAUST_WEB_TOKEN=a-token-of-my-own"
)


class worker(faust_worker):
    """Run the pipeline, the page and the simulation, until Ctrl-C or SIGTERM.

    \b
    Examples:
      faust -A bp_faust worker -l info
      faust -A bp_faust worker -l info --web-port 6067
    """

    def as_service(self, *args: Any, **kwargs: Any) -> Any:
        """Return the app, unless anyone on the network could look into it without a token."""
        service = super().as_service(*args, **kwargs)
        wrong = check_web_bind(app.conf.web_bind or "", settings.web_token) if app.conf.web_enabled else None
        if wrong is not None:
            raise SystemExit(told_in_form(wrong))
        return service

    def on_worker_created(self, worker: Any) -> None:
        """Say what starts: as a table, or as a line of the log where that is JSON."""
        if app.log_form == "console":
            super().on_worker_created(worker)
            return
        # The rows that are set in are of what is told elsewhere, by the same names.
        told = {name: str(value).strip() for name, value in self._banner_data(worker) if name[:1].strip() and value}
        print(json_line("info", "The worker starts.", version=version("bp_faust"), **told), file=sys.stderr)


@app.command(
    option("--output", "-o", default="blood_pressure.json", help="The file to write."),
    option("--patient", default="patient-123", help="The patient's id."),
    option("--systolic", type=click.FloatRange(min=0), default=120, help="Systolic pressure in mmHg."),
    option("--diastolic", type=click.FloatRange(min=0), default=80, help="Diastolic pressure in mmHg."),
    base=Command,
)
async def generate(self: Command, output: str, patient: str, systolic: float, diastolic: float) -> None:
    """Write a FHIR blood-pressure Observation to a file.

    \b
    Examples:
      faust -A bp_faust generate --systolic 150 --diastolic 95
      faust -A bp_faust generate --patient p-1 -o reading.json
    """
    resource = observation(patient, systolic, diastolic, identity=str(uuid4()))
    try:
        validate(resource)
    except InvalidResource as exc:
        raise InputFileError(f"These values make no valid Observation: {exc}") from exc
    with output_file(output) as file:
        file.write(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    self.say_result(
        f"FHIR Observation {resource['id']} of {patient} written to {output}", id=resource["id"], file=output
    )


#: The options of both commands that run servers.
_SERVERS = [
    option("--kafka-port", type=_PORT, default=9093, help="The port of Kafka; 0 for any free one."),
    option("--elasticsearch-port", type=_PORT, default=9200, help="The port of Elasticsearch; 0 for any free one."),
    option("--offline", is_flag=True, help="Download nothing; say what is missing."),
    option("--purge", is_flag=True, help="Delete the data and all that was downloaded, and end."),
]


class ServersCommand(Command):
    """Run servers in the foreground."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run them to their end, in this thread: on Linux a child dies with the thread that started it."""
        raise SystemExit(run_told(lambda: self._run(**self.kwargs)))

    def _run(self, **options: Any) -> None:
        raise NotImplementedError

    def _tell(self, told: str) -> None:
        """Say how it goes, not among the results."""
        self.say(told, file=self.stderr)

    def _stack(self, data_dir: Path, **options: Any) -> Stack:
        return Stack(data_dir, tell=None if self.quiet else self._tell, **options)

    def _purge(self, data_dir: Path, *others: Path) -> None:
        cache = default_cache_dir()
        freed = purge(data_dir, cache, others)
        folders = " and ".join(map(str, (data_dir, *others, cache)))
        told = f"Deleted {freed / 1e6:.0f} MB: {folders}" if freed else f"There is nothing to delete: {folders}"
        self.say_result(told, freed_bytes=freed, data=str(data_dir), downloads=str(cache))


class stack(ServersCommand):
    """Run a local Kafka and Elasticsearch until Ctrl-C.

    What is missing is downloaded first, about 80 MB; later starts take seconds.

    \b
    Examples:
      faust -A bp_faust stack
      faust -A bp_faust stack --data-dir /tmp/stack --kafka-port 0 --elasticsearch-port 0
      faust -A bp_faust stack --offline
      faust -A bp_faust stack --purge
    """

    options = [
        *_SERVERS,
        option("--data-dir", default="bp_faust-data/stack", help="Where both keep their data."),
        option("--zookeeper", is_flag=True, help="Run Kafka 3.9 with ZooKeeper, as docker-compose.yml does."),
    ]

    def _run(
        self, kafka_port: int, elasticsearch_port: int, data_dir: str, zookeeper: bool, offline: bool, purge: bool
    ) -> None:
        if purge:
            self._purge(Path(data_dir))
            return
        running = self._stack(
            Path(data_dir),
            kafka_port=kafka_port,
            elasticsearch_port=elasticsearch_port,
            zookeeper=zookeeper,
            offline=offline,
        )
        with ended_by_signals(), running:
            kafka, elasticsearch = running.kafka.bootstrap, running.elasticsearch.url
            self.say_result(
                f"Kafka at {kafka}, Elasticsearch at {elasticsearch}; Ctrl-C ends both",
                kafka=kafka,
                elasticsearch=elasticsearch,
            )
            running.wait()


class demo(ServersCommand):
    """Run everything on this machine until Ctrl-C: Kafka, Elasticsearch, and a worker with simulated patients.

    \b
    Examples:
      faust -A bp_faust demo
      faust -A bp_faust demo --data-dir /tmp/demo
      faust -A bp_faust demo --purge
    """

    options = [
        *_SERVERS,
        option("--data-dir", default="bp_faust-data", help="Where everything keeps its data."),
    ]

    def _run(self, kafka_port: int, elasticsearch_port: int, data_dir: str, offline: bool, purge: bool) -> None:
        folder = Path(data_dir)
        if purge:
            self._purge(folder / "stack", folder / "worker", folder / "worker.log")
            return
        running = self._stack(
            folder / "stack", kafka_port=kafka_port, elasticsearch_port=elasticsearch_port, offline=offline
        )
        self._tell("Starting Kafka and Elasticsearch …")
        with ended_by_signals(), running:
            environment = {
                "BP_FAUST_BROKER_URL": f"kafka://{running.kafka.bootstrap}",
                "BP_FAUST_ELASTICSEARCH_URL": running.elasticsearch.url,
                "BP_FAUST_DATADIR": str((folder / "worker").absolute()),
            }
            token = settings.secret("web_token")
            worker = Worker(folder, app.conf.web_port, environment, token)
            try:
                worker.start()
                self.say_result(
                    f"Kafka at {running.kafka.bootstrap}, Elasticsearch at {running.elasticsearch.url}\n"
                    f"The page: {worker.url} (simulated patients appear on it; Ctrl-C ends everything)"
                    + ("" if token is not None else _LOOK_ONLY),
                    kafka=running.kafka.bootstrap,
                    elasticsearch=running.elasticsearch.url,
                    page=worker.url,
                )
                running.wait(worker)
            finally:
                worker.stop()
