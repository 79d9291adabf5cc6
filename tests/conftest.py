"""Start what tests share: one real Kafka and one real Elasticsearch for the session, and workers by the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.stack_session import StackSession
from tests.worker_process import WorkerProcess, WorkerSettings

if TYPE_CHECKING:
    from tests.secure_kafka import SecureKafka

REPOSITORY = Path(__file__).parents[1]
os.environ.setdefault("BP_FAUST_CACHE_DIR", str(REPOSITORY / ".cache" / "bp_faust"))

_session = StackSession()

#: What one of several test processes tells its parent by.
_MISSING = "bp_faust_missing"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackSession]:
    """Give the running local stack; where its parts cannot be downloaded, skip, and say so loudly at the end."""
    try:
        _session.start(tmp_path_factory.mktemp("stack"))
        yield _session
    finally:
        _session.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long suites be run at their whole length, from another seed."""
    parser.addoption("--full", action="store_true", help="run the long form of tests/chaos")
    parser.addoption("--screenshots", action="store_true", help="make the pictures of README anew")
    parser.addoption("--resume", action="store_true", help="leave out what the last run of tests/chaos has figures of")
    parser.addoption("--seed", type=int, default=2026, help="what chance in tests/chaos is drawn from")


def pytest_configure(config: pytest.Config) -> None:
    """Have Java compile quickly, not well: servers live for minutes here, but in the long forms, which time them."""
    if not config.getoption("--full"):
        os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Tell whether the long forms are to run."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Give the seed of all chance."""
    return int(request.config.getoption("--seed"))


@pytest.fixture(scope="session")
def kafka(stack: StackSession) -> str:
    """Give the address of a real Kafka broker, as host:port."""
    return stack.kafka


@pytest.fixture(scope="session")
def elasticsearch_url(stack: StackSession) -> str:
    """Give the address of a real Elasticsearch node."""
    return stack.elasticsearch_url


@pytest.fixture(scope="session")
def secure_kafka(stack: StackSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Give a real Kafka broker with TLS, users and rights."""
    from tests.secure_kafka import SecureKafka

    broker = SecureKafka(tmp_path_factory.mktemp("secure-kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def settings(kafka: str, elasticsearch_url: str, tmp_path: Path) -> WorkerSettings:
    """Give the settings of an installation of its own on the shared stack."""
    return WorkerSettings.unique(kafka, elasticsearch_url, tmp_path)


@pytest.fixture
def start_worker(settings: WorkerSettings) -> Iterator[Callable[..., WorkerProcess]]:
    """Give a function that starts a worker, ready to work; all of them are ended with the test."""
    workers: list[WorkerProcess] = []

    def start(
        name: str = "worker", *, wait: bool = True, options: Sequence[str] = (), **environment: str
    ) -> WorkerProcess:
        worker = WorkerProcess(settings, name, environment, options)
        workers.append(worker)
        if wait:
            worker.wait_until_ready()
        return worker

    yield start
    for worker in workers:
        worker.end()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say loudly, after all else, what did not run."""
    yield
    if _session.missing:
        terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
        count = len(terminalreporter.stats.get("skipped", []))
        terminalreporter.line(f"{count} tests need the real Kafka and Elasticsearch, which could not be downloaded:")
        terminalreporter.line(_session.missing)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what one of several test processes could not have."""
    _session.missing = _session.missing or getattr(node, "workeroutput", {}).get(_MISSING)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail in CI where the stack could not be had."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_MISSING] = _session.missing
    elif _session.missing and os.environ.get("CI") and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
