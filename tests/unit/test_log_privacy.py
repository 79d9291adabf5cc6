"""What is logged of exceptions: their kind and where they came from, and their text only where it holds no data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from bp_faust.engine.errors import StateError
from bp_faust.engine.log_privacy import keep_data_out_of_log
from bp_faust.search.errors import SearchError

CANARY = "Canary-Doe"

LOGGER = logging.getLogger("bp_faust.tests")


@pytest.fixture(autouse=True)
def private_log() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    keep_data_out_of_log((SearchError,))
    yield
    logging.setLogRecordFactory(before)


def caught(work: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as found:  # noqa: PT011, B017, RUF100 - whatever it raises
        work()
    return found.value


def raise_with_causes() -> None:
    try:
        try:
            {}[CANARY]
        except KeyError as exc:
            raise StateError("the table cannot be read") from exc
    except StateError:
        raise ValueError(f"not a number: {CANARY!r}")  # noqa: B904 - what was at work when it was raised


def test_the_texts_of_an_unexpected_exception_and_of_its_causes_are_withheld(caplog: pytest.LogCaptureFixture) -> None:
    exc = caught(raise_with_causes)
    LOGGER.error("It failed: %r (%s)", exc, exc, exc_info=exc)
    LOGGER.error(exc)
    assert CANARY not in caplog.text
    # What is needed to find the mistake is there.
    assert caplog.text.count("\nValueError: (its text may hold") == 1
    assert "KeyError: (its text may hold" in caplog.text
    assert "bp_faust.engine.errors.StateError: the table cannot be read" in caplog.text
    assert "in raise_with_causes" in caplog.text
    assert "During handling of the above exception" in caplog.text


@pytest.mark.parametrize(
    "told", [SearchError("check the API key"), StateError("set BP_FAUST_DATADIR"), OSError(98, "address in use")]
)
def test_what_is_written_for_operators_is_logged(told: Exception, caplog: pytest.LogCaptureFixture) -> None:
    LOGGER.critical("The worker stops: %s", told, exc_info=told)
    assert caplog.text.count(str(told)) == 2


def test_tasks_and_futures_are_not_shown_with_their_exceptions(caplog: pytest.LogCaptureFixture) -> None:
    shown = f"Task exception was never retrieved\nfuture: <Task finished exception=ValueError({CANARY!r})>"
    logging.getLogger("asyncio").error(shown, exc_info=ValueError(CANARY))
    assert CANARY not in caplog.text
    assert "Task exception was never retrieved" in caplog.text


def test_other_records_are_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    LOGGER.error("%(a)s of %(b)s", {"a": 1, "b": "two"})
    LOGGER.error("%s%%", 3)
    LOGGER.error("plain", exc_info=True)
    assert [record.getMessage() for record in caplog.records] == ["1 of two", "3%", "plain"]


def test_an_exception_that_is_its_own_context_ends(caplog: pytest.LogCaptureFixture) -> None:
    first, second = ValueError(CANARY), KeyError(CANARY)
    first.__context__, second.__context__ = second, first
    LOGGER.error("%r", first, exc_info=first)
    assert CANARY not in caplog.text


def test_while_debugging_texts_are_logged_but_for_those_of_requests(caplog: pytest.LogCaptureFixture) -> None:
    keep_data_out_of_log((), debugging=True)
    LOGGER.error("It failed: %r", ValueError("the text"))
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=ValueError("Authorization: abc"))
    assert "the text" in caplog.text
    assert "Authorization" not in caplog.text
