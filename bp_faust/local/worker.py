"""Run a worker as a child process, beside the servers."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from bp_faust.local.processes import Server


class Worker(Server):
    """Run ``faust -A bp_faust worker`` with settings from the environment."""

    name = "Worker"
    port_option = "BP_FAUST_WEB_PORT"

    def __init__(self, data_dir: Path, port: int, environment: Mapping[str, str], token: str | None = None) -> None:
        super().__init__(data_dir, port)
        self._token = token
        self.environment = {**os.environ, **environment, "BP_FAUST_WEB_PORT": str(self.port)}

    @property
    def url(self) -> str:
        """Return the page's address."""
        return f"http://127.0.0.1:{self.port}/"

    def command(self) -> Sequence[str]:
        """Return the command."""
        return [sys.executable, "-m", "faust", "-A", "bp_faust", "worker", "-l", "info"]

    def is_ready(self) -> bool:
        """Tell whether the worker is at work."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token is not None else {}
        request = urllib.request.Request(f"{self.url}readyz", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=3) as response:
                return bool(response.status == 200)
        except OSError:
            return False
