"""Run the worker as its users do: as a process of its own, with settings from the environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: How long a worker may take to become ready, in seconds.
READY_SECONDS = 90.0

FAUST = [str(Path(sys.executable).parent / "faust"), "-A", "bp_faust"]


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Any, seconds: float, what: str, every: float = 0.1) -> Any:
    """Call a condition until it returns something true; return that, or fail after a deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s in vain for {what}; the last look gave {result!r}")
        time.sleep(every)


@dataclass
class WorkerSettings:
    """Name an installation: its consumer group, topics and index, which no other test uses."""

    app_id: str
    kafka: str
    elasticsearch_url: str
    directory: Path

    @classmethod
    def unique(cls, kafka: str, elasticsearch_url: str, directory: Path) -> WorkerSettings:
        """Make up names of their own."""
        return cls(f"test-{uuid.uuid4().hex[:10]}", kafka, elasticsearch_url, directory)

    @property
    def readings_topic(self) -> str:
        """Return the name of the ingest topic."""
        return f"{self.app_id}-ingest"

    @property
    def dead_letters_topic(self) -> str:
        """Return the name of the dead-letter topic."""
        return f"{self.readings_topic}-dlq"

    @property
    def anomalies_topic(self) -> str:
        """Return the name of the anomalies topic."""
        return f"{self.app_id}-anomalies"

    @property
    def alerts_topic(self) -> str:
        """Return the name of the alerts topic."""
        return f"{self.app_id}-alerts"

    @property
    def fhir_topic(self) -> str:
        """Return the name of the topic of FHIR resources."""
        return f"{self.app_id}-fhir"

    @property
    def audit_topic(self) -> str:
        """Return the name of the audit topic."""
        return f"{self.app_id}-audit"

    @property
    def patient_settings_topic(self) -> str:
        """Return the name of the topic of patients' settings."""
        return f"{self.app_id}-patient-settings"

    @property
    def index(self) -> str:
        """Return the name of the anomalies' Elasticsearch index."""
        return f"{self.app_id}-anomalies"

    @property
    def alerts_index(self) -> str:
        """Return the name of the alerts' Elasticsearch index."""
        return f"{self.app_id}-alerts"

    @property
    def refusals_topic(self) -> str:
        """Return the name of the topic on which refused records are told of."""
        return f"{self.app_id}-refusals"

    @property
    def refusals_index(self) -> str:
        """Return the name of the refused records' Elasticsearch index."""
        return f"{self.app_id}-refusals"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment for a process of this installation."""
        ours = {
            "BP_FAUST_APP_ID": self.app_id,
            "BP_FAUST_BROKER_URL": f"kafka://{self.kafka}",
            "BP_FAUST_ELASTICSEARCH_URL": self.elasticsearch_url,
            "BP_FAUST_ELASTICSEARCH_INDEX": self.index,
            "BP_FAUST_READINGS_TOPIC": self.readings_topic,
            "BP_FAUST_ANOMALIES_TOPIC": self.anomalies_topic,
            "BP_FAUST_ALERTS_TOPIC": self.alerts_topic,
            "BP_FAUST_FHIR_TOPIC": self.fhir_topic,
            "BP_FAUST_AUDIT_TOPIC": self.audit_topic,
            "BP_FAUST_ELASTICSEARCH_ALERTS_INDEX": self.alerts_index,
            "BP_FAUST_ELASTICSEARCH_REFUSALS_INDEX": self.refusals_index,
            "BP_FAUST_SIMULATION_INTERVAL": "0",
            # So that a topic on which nothing happens has nothing new.
            "BP_FAUST_CLOCK_INTERVAL": "3600",
            # A killed worker is known to be gone sooner.
            "BP_FAUST_BROKER_SESSION_TIMEOUT": "10",
            "BP_FAUST_DATADIR": str(self.directory / "data"),
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("BP_FAUST_")}
        return {**inherited, "PYTHONUNBUFFERED": "1", **ours, **more}

    def faust(self, *arguments: str, seconds: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``faust -A bp_faust`` to its end."""
        return subprocess.run(
            [*FAUST, *arguments],
            env=self.environment(**environment),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


class WorkerProcess:
    """Hold one worker process."""

    #: Options of the command itself.
    worker_options: Sequence[str] = ("-l", "info")

    def __init__(
        self, settings: WorkerSettings, name: str, environment: dict[str, str], options: Sequence[str] = ()
    ) -> None:
        self.settings = settings
        self.name = name
        self.port = free_port()
        self.data_dir = settings.directory / f"{name}-data"
        self.log = settings.directory / f"{name}.log"
        self._environment = environment
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the process; it appends to its log."""
        environment = {
            "BP_FAUST_DATADIR": str(self.data_dir),
            "BP_FAUST_WEB_PORT": str(self.port),
            **self._environment,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*FAUST, *self._options, "worker", *self.worker_options],
                env=self.settings.environment(**environment),
                cwd=self.settings.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process."""
        assert self._process is not None
        return self._process

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the worker says that it is ready."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            return self.status("/readyz") == 200

        try:
            wait_for(ready, seconds, f"{self.name} to become ready")
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.log_tail()}") from exc

    def status(self, path: str) -> int | None:
        """Return the HTTP status of a path, None where nobody answers."""
        try:
            with urllib.request.urlopen(self._request(path), timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as exc:
            return exc.code
        except OSError:
            return None

    def get(self, path: str) -> Any:
        """Return the JSON of a path."""
        with urllib.request.urlopen(self._request(path), timeout=15) as response:
            return json.load(response)

    def text(self, path: str) -> str:
        """Return the text of a path."""
        with urllib.request.urlopen(self._request(path), timeout=15) as response:
            return str(response.read().decode())

    def _request(self, path: str) -> urllib.request.Request:
        """Return a request that bears the worker's token, where it has one."""
        token = self._environment.get("BP_FAUST_WEB_TOKEN")
        return urllib.request.Request(self.url(path), headers={"Authorization": f"Bearer {token}"} if token else {})

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def log_tail(self, lines: int = 60) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, seconds: float = 40.0) -> int:
        """Ask the worker to stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End the worker at once."""
        self.process.kill()
        self.process.wait(30)

    def freeze(self) -> None:
        """Stop the process's clock."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End the process, whatever state it is in."""
        if self.process.poll() is None:
            self.thaw()
            self.kill()
