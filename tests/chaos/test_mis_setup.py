"""Whatever is set up wrong: the worker ends when it starts, and its last line says what to change."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web

from tests.certificates import Certificates
from tests.chaos.figures import Figures
from tests.chaos.mis_setups import MIS_SETUPS, SECRET, MisSetup, Place
from tests.secure_kafka import SecureKafka
from tests.secured_elasticsearch import SecuredElasticsearch
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

#: How soon a worker must have ended, in seconds.
REFUSED_SECONDS = 30.0

#: How many workers are started side by side.
SIDE_BY_SIDE = 3


class Outcome(NamedTuple):
    """Hold how a worker ended: after how many seconds, with which exit status, and what it told."""

    mis_setup: MisSetup
    seconds: float
    status: int
    log: str

    @property
    def told(self) -> str:
        """Return the last line."""
        return (self.log.strip().splitlines() or [""])[-1]

    @property
    def is_clear(self) -> bool:
        """Tell whether the worker failed with one line, that line says what to change, and it holds no secret."""
        errors = [line for line in self.log.splitlines() if line.startswith("Error: ")]
        return (
            self.status != 0
            and errors == [self.told]
            and self.mis_setup.told in self.told
            and "Traceback" not in self.log
            and SECRET not in self.log
        )


async def test_a_wrong_set_up_is_refused_at_start_with_one_line(
    kafka: str,
    elasticsearch_url: str,
    secure_kafka: SecureKafka,
    tmp_path: Path,
    figures: Figures,
) -> None:
    slots = asyncio.Semaphore(SIDE_BY_SIDE)
    certificates = Certificates(tmp_path / "certificates")

    async with _servers(elasticsearch_url, certificates) as (secured, website, silent):

        async def one(number: int, mis_setup: MisSetup) -> Outcome:
            async with slots:
                directory = tmp_path / str(number)
                directory.mkdir()
                settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
                place = Place(settings, secure_kafka, secured, certificates, website, silent)
                outcome = await _start(place, mis_setup)
                figures.say(f"{mis_setup.name}: ended after {outcome.seconds:.1f} s")
                return outcome

        outcomes = await asyncio.gather(*(one(number, mis_setup) for number, mis_setup in enumerate(MIS_SETUPS)))
    in_time = sum(outcome.is_clear and outcome.seconds <= REFUSED_SECONDS for outcome in outcomes)
    figures.add(
        "9 mis-set-up",
        f"refused at start within {REFUSED_SECONDS:.0f} s with one line",
        f"{len(outcomes)} of {len(outcomes)}",
        f"{in_time} of {len(outcomes)}, the slowest after {max(outcome.seconds for outcome in outcomes):.1f} s",
        reached=in_time == len(outcomes),
    )
    unclear = [outcome for outcome in outcomes if not outcome.is_clear]
    if unclear:
        pytest.fail("\n\n".join(f"{one.mis_setup.name}: status {one.status}\n{one.log[-3000:]}" for one in unclear))


@contextlib.asynccontextmanager
async def _servers(
    elasticsearch_url: str, certificates: Certificates
) -> AsyncIterator[tuple[SecuredElasticsearch, str, str]]:
    """Give an Elasticsearch with TLS and credentials, and the host:port of a website and of one who never answers."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    website_port, silent_port = free_port(), free_port()
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", website_port).start()
    try:
        async with (
            await asyncio.start_server(say_nothing, "127.0.0.1", silent_port),
            SecuredElasticsearch(elasticsearch_url, certificates.issue("elasticsearch", "127.0.0.1")) as secured,
        ):
            yield secured, f"127.0.0.1:{website_port}", f"127.0.0.1:{silent_port}"
    finally:
        await runner.cleanup()


async def _start(place: Place, mis_setup: MisSetup) -> Outcome:
    async with contextlib.AsyncExitStack() as stack:
        if mis_setup.prepare is not None:
            await mis_setup.prepare(place, stack)
        started = time.monotonic()
        worker = WorkerProcess(place.settings, "worker", mis_setup.settings(place))
        stack.callback(worker.end)
        status = await asyncio.to_thread(worker.process.wait, 120)
        return Outcome(mis_setup, time.monotonic() - started, status, worker.log.read_text(errors="replace"))
