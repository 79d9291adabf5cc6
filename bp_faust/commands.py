"""Add the commands worker, generate, stack and demo: the pipeline, an Observation, the servers, everything."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import orjson
from faust.cli import option
from faust.cli.worker import worker as faust_worker

from bp_faust.app import app, settings
from bp_faust.command import Command, run_told
from bp_faust.engine.log_lines import json_line
from bp_faust.fhir.resources import InvalidResource, observation, validate
from bp_faust.input_files import InputFileError
from bp_faust.local.downloads import default_cache_dir
from bp_faust.local.foreground import ended_by_signals
from bp_faust.local.stack import Stack
from bp_faust.local.stack import purge as purge_stack
from bp_faust.local.worker import Worker
from bp_faust.settings import told_in_form
from bp_faust.web_access import is_loopback


class worker(faust_worker):
    """Start worker instance for given app."""

    def as_service(self, *args: Any, **kwargs: Any) -> Any:
        """Return the app, unless anyone on the network could look into it without a token."""
        service = super().as_service(*args, **kwargs)
        conf = app.conf
        if conf.web_enabled and settings.web_token is None and not is_loopback(conf.web_bind or ""):
            raise SystemExit(
                told_in_form(
                    f"the web server is to listen on {conf.web_bind}, where others reach it, and BP_FAUST_WEB_TOKEN is "
                    "not set: set it to 16 characters or more, or BP_FAUST_WEB_BIND to 127.0.0.1."
                )
            )
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
    option("--systolic", type=float, default=120, help="Systolic pressure in mmHg."),
    option("--diastolic", type=float, default=80, help="Diastolic pressure in mmHg."),
    base=Command,
)
async def generate(self: Command, output: str, patient: str, systolic: float, diastolic: float) -> None:
    """Write a FHIR blood-pressure Observation to a file."""
    resource = observation(patient, systolic, diastolic, identity=str(uuid4()))
    try:
        validate(resource)
        Path(output).write_bytes(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    except InvalidResource as exc:
        raise InputFileError(f"These values make no valid Observation: {exc}") from exc
    except OSError as exc:
        raise InputFileError(f"{output} cannot be written ({exc.strerror}): choose another file with -o.") from exc
    self.say(f"FHIR Observation {resource['id']} of {patient} written to {output}")


class stack(Command):
    """Run a local Kafka and Elasticsearch until Ctrl-C; example: faust -A bp_faust stack --data-dir /tmp/stack."""

    options = [
        option("--kafka-port", type=int, default=9093, help="The port of Kafka; 0 for any free one."),
        option("--elasticsearch-port", type=int, default=9200, help="The port of Elasticsearch; 0 for any free one."),
        option("--data-dir", default="bp_faust-data/stack", help="Where both keep their data."),
        option("--zookeeper", is_flag=True, help="Run Kafka 3.9 with ZooKeeper, as docker-compose.yml does."),
        option("--offline", is_flag=True, help="Download nothing; say what is missing."),
        option("--purge", is_flag=True, help="Delete the data and all that was downloaded, and end."),
    ]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the stack in the foreground."""
        raise SystemExit(run_told(lambda: self._run(**self.kwargs)))

    def _run(
        self, kafka_port: int, elasticsearch_port: int, data_dir: str, zookeeper: bool, offline: bool, purge: bool
    ) -> None:
        if purge:
            cache = default_cache_dir()
            purge_stack(Path(data_dir), cache)
            self.say(f"Deleted {data_dir} and {cache}")
            return
        running = Stack(
            Path(data_dir),
            kafka_port=kafka_port,
            elasticsearch_port=elasticsearch_port,
            zookeeper=zookeeper,
            offline=offline,
        )
        with ended_by_signals(), running:
            self.say(
                f"Kafka at {running.kafka.bootstrap}, Elasticsearch at {running.elasticsearch.url}; Ctrl-C ends both"
            )
            running.wait()


class demo(Command):
    """Run everything on this machine until Ctrl-C: Kafka, Elasticsearch, and a worker with simulated patients."""

    options = [
        option("--kafka-port", type=int, default=9093, help="The port of Kafka; 0 for any free one."),
        option("--elasticsearch-port", type=int, default=9200, help="The port of Elasticsearch; 0 for any free one."),
        option("--data-dir", default="bp_faust-data", help="Where everything keeps its data."),
    ]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the demo in the foreground."""
        raise SystemExit(run_told(lambda: self._run(**self.kwargs)))

    def _run(self, kafka_port: int, elasticsearch_port: int, data_dir: str) -> None:
        folder = Path(data_dir)
        running = Stack(folder / "stack", kafka_port=kafka_port, elasticsearch_port=elasticsearch_port)
        self.say("Starting Kafka and Elasticsearch …")
        with ended_by_signals(), running:
            environment = {
                "BP_FAUST_BROKER_URL": f"kafka://{running.kafka.bootstrap}",
                "BP_FAUST_ELASTICSEARCH_URL": running.elasticsearch.url,
                "BP_FAUST_DATADIR": str((folder / "worker").absolute()),
            }
            worker = Worker(folder, app.conf.web_port, environment, settings.secret("web_token"))
            try:
                worker.start()
                self.say(
                    f"Kafka at {running.kafka.bootstrap}, Elasticsearch at {running.elasticsearch.url}\n"
                    f"The page: {worker.url} (simulated patients appear on it; Ctrl-C ends everything)"
                )
                running.wait(worker)
            finally:
                worker.stop()
