"""Run a server as a child process: start it, wait for it, and end it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bp_faust.local.errors import PortTakenError, ServerError

_READY_SECONDS = 120.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1

_PR_SET_PDEATHSIG = 1


class Server:
    """Hold one server process that listens on a port of 127.0.0.1.

    It has a session of its own, so that Ctrl-C reaches only us, who end it in order; on Linux it dies with us.
    """

    #: What people call it.
    name = "server"

    #: The option or setting by which people choose its port.
    port_option = ""

    #: What it gets as environment; None for ours.
    environment: Mapping[str, str] | None = None

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self.data_dir = data_dir
        try:
            self.port = chosen_port(port)
        except OSError as exc:
            raise PortTakenError(
                f"Port {port} for {self.name} is in use: end what listens there, or choose another with "
                f"{self.port_option}."
            ) from exc
        self.log = data_dir / f"{self.name.lower()}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """Return the command to run, after writing what it reads."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Tell whether the server answers."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and wait until it answers; raise ServerError where it does not."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Wait until the server answers; raise ServerError with the end of its log where it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if not self.running:
                raise ServerError(f"{self.name} ended while it started; the end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(
                    f"{self.name} did not answer within {seconds:.0f} s; the end of {self.log}:\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float = _STOP_SECONDS) -> None:
        """Ask the process to end, and end it hard where it takes too long."""
        if self._process is None:
            return
        if self.running:
            self.thaw()
            self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop the process's clock."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def answers(self) -> bool:
        """Tell whether something accepts connections on the port."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def chosen_port(port: int) -> int:
    """Return the port, or a free one for 0; raise OSError where it is in use."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only waiting to be forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
