"""Say what one look found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, Literal, NamedTuple

from aiokafka.errors import KafkaError
from elastic_transport import TransportError
from elasticsearch import ApiError

from bp_faust.engine.errors import EngineError
from bp_faust.search.errors import SearchError

Outcome = Literal["ok", "warning", "wrong", "skipped"]

#: How long one look may take, in seconds.
LOOK_SECONDS = 8.0


class Finding(NamedTuple):
    """Hold what was looked at and how it is; the text is a line that says how to mend what is not well."""

    check: str
    outcome: Outcome
    text: str


async def finding(check: str, look: Awaitable[tuple[Outcome, str]], seconds: float = LOOK_SECONDS) -> Finding:
    """Return what a look found; what it raises, or that it took too long, is wrong."""
    try:
        outcome, text = await asyncio.wait_for(look, seconds)
    except (EngineError, SearchError) as exc:
        return Finding(check, "wrong", sentence(str(exc)))
    except (KafkaError, ApiError, TransportError) as exc:
        return Finding(check, "wrong", f"The answer was {type(exc).__name__}: see what became of the server.")
    except asyncio.TimeoutError:
        return Finding(check, "wrong", f"No answer came within {seconds:.0f} s: see what keeps the server from it.")
    return Finding(check, outcome, text)


async def findings(
    checks: Iterable[str], looks: Iterable[Awaitable[tuple[Outcome, str]]], shared: asyncio.Future[Any]
) -> list[Finding]:
    """Return what looks found at the same time; several of them may wait for one that they share, which ends here.

    Those must shield it: it must not be cancelled where the first of them gives up.
    """
    found = await asyncio.gather(*(finding(check, look) for check, look in zip(checks, looks, strict=True)))
    shared.cancel()
    await asyncio.gather(shared, return_exceptions=True)
    return found


def skipped(checks: Iterable[str], reason: str) -> list[Finding]:
    """Return that some things were not looked at."""
    return [Finding(check, "skipped", f"Not looked at, as {reason}.") for check in checks]


def sentence(text: str) -> str:
    """End with a full stop, and begin with a capital letter where a word stands there and no address."""
    first = text.partition(" ")[0]
    return (text[:1].upper() if first.isalpha() else text[:1]) + text[1:].rstrip(".") + "."
