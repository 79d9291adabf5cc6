"""Follow one page of the documents as its reader would: run its blocks in order, in a folder with the sources."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.documented import Block, copy_sources
from tests.worker_process import wait_for

#: How long a block may take, in seconds: two of them install the whole package.
_BLOCK_SECONDS = 400.0
#: How long a worker, or everything that `make demo` starts, may take to be ready, in seconds.
_READY_SECONDS = 180.0

#: A command that runs until it is ended.
_SERVICE = re.compile(r"(?:[A-Z_]+=\S+ )*(?:faust -A bp_faust worker|make demo)\b.*")


class Page:
    """Hold what a reader of one page has: a folder with the sources, an environment, and what the reader started.

    ``environment`` is the page's own beside this process's; ``replaced`` says what stands in the place of which words
    of the page, worked out where the word is met.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], replaced: Mapping[str, Callable[[], str]]
    ) -> None:
        self.directory = copy_sources(directory / "sources")
        self._saved = directory / "environment"
        self._replaced = replaced
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        # What `make` would make: the environment of these tests, which has all that it needs.
        (self.directory / ".venv").mkdir()
        (self.directory / ".venv/bin").symlink_to(Path(sys.executable).parent)
        (self.directory / ".venv/installed-local").touch()
        # An HTTP status that tells of an error is one for curl, too, unless it passes: readers ask again, too.
        (directory / ".curlrc").write_text("fail-with-body\nretry = 30\nretry-delay = 1\nretry-all-errors\n")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BP_FAUST_")}
        cache = {"BP_FAUST_CACHE_DIR": os.environ["BP_FAUST_CACHE_DIR"]}
        path = os.pathsep.join([str(directory), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {
            **inherited,
            **cache,
            "CURL_HOME": str(directory),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }

    def run(self, block: Block, exempt: Mapping[str, str]) -> str:
        """Run a block but for its lines that are exempt, and return what it printed; what is to go on goes on."""
        lines = [line for line in block.text.splitlines() if not any(line.startswith(start) for start in exempt)]
        text = "\n".join(lines)
        for word, replacement in self._replaced.items():
            if word in text:
                text = text.replace(word, replacement())
        told = ""
        for part in re.split(f"^({_SERVICE.pattern})$", text, flags=re.MULTILINE):
            if _SERVICE.fullmatch(part):
                self.start(part)
            elif part.strip():
                told += self._run(part, block)
        return told

    def _run(self, text: str, block: Block) -> str:
        script = f"{text}\nenv -0 > '{self._saved}'\n"
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_BLOCK_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"The block on line {block.line} failed:\n{text}\n{ran.stdout}\n{ran.stderr}"
        # What a block exports, the next one has.
        variables = self._saved.read_text().rstrip("\0").split("\0")
        self.environment = dict(variable.split("=", 1) for variable in variables)
        return ran.stdout

    def start(self, command: str) -> None:
        """Start a command that is to go on, in the place of the one that used the same port; wait until it is ready."""
        chosen = re.search(r"BP_FAUST_WEB_PORT=(\d+)", command)
        port = chosen[1] if chosen else self.environment["BP_FAUST_WEB_PORT"]
        if port in self._services:
            self._end(self._services.pop(port))
        log = self.directory / f"service-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.directory,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._services[port] = process

        def ready() -> bool:
            assert process.poll() is None, f"{command!r} ended:\n{log.read_text()}"
            return self.answers("/readyz", port)

        wait_for(ready, _READY_SECONDS, f"{command!r} to be ready; its log is {log}", every=0.3)

    def answers(self, path: str, port: str | None = None) -> bool:
        """Tell whether the worker answers a path well."""
        return self.ask(path, port).returncode == 0

    def ask(self, path: str, port: str | None = None) -> subprocess.CompletedProcess[str]:
        """Ask the worker for a path, as the reader would."""
        url = f"http://127.0.0.1:{port or self.environment['BP_FAUST_WEB_PORT']}{path}"
        token = self.environment.get("BP_FAUST_WEB_TOKEN")
        header = ["-H", f"Authorization: Bearer {token}"] if token else []
        return subprocess.run(
            ["curl", "-q", "-s", "--fail-with-body", "--max-time", "10", *header, url],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def end(self) -> None:
        """End all that the page started."""
        while self._services:
            self._end(self._services.popitem()[1])

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        """End a process as Ctrl-C in its terminal would, which reaches all that it started."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            raise
