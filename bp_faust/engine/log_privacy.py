"""Keep what records hold out of the log: an exception's text is logged only where it was written for operators.

Anything may stand in the text of other exceptions: a KeyError names the key, a ValueError quotes what was no number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError

from .errors import EngineError

#: Their texts name addresses, files and topics, and nothing of what records hold.
_WITHOUT_DATA: tuple[type[BaseException], ...] = (EngineError, KafkaError, OSError, ImportError)

# At DEBUG it logs every request with all that is in it, the one that signs in included.
logging.getLogger("aiokafka.conn").setLevel(logging.INFO)

_OF_REQUESTS = "aiohttp.server"

_WITHHELD = "(its text may hold a patient's data: docs/explanation/privacy.md says how to see it)"


def keep_data_out_of_log(told: tuple[type[BaseException], ...], *, debugging: bool = False) -> None:
    """Log exceptions without their texts from now on, but for those without data, and those of the given types.

    While debugging only those of requests are: the rest of a request that cannot be read may hold a token.
    """
    logging.setLogRecordFactory(record_factory((*_WITHOUT_DATA, *told), debugging=debugging))


def record_factory(told: tuple[type[BaseException], ...], *, debugging: bool) -> Callable[..., logging.LogRecord]:
    """Return a factory of log records that leave out the texts of all exceptions but the given ones."""

    def make(
        name: str, level: int, path: str, line: int, msg: object, args: Any, exc_info: Any, *more: Any, **kwargs: Any
    ) -> logging.LogRecord:
        if debugging and name != _OF_REQUESTS:
            return logging.LogRecord(name, level, path, line, msg, args, exc_info, *more, **kwargs)
        if isinstance(msg, BaseException):
            msg = str(_without_text(msg, told))
        elif name == "asyncio":
            # Its first line says what happened; the others show tasks and futures with their results and exceptions.
            msg = str(msg).partition("\n")[0]
        if isinstance(args, tuple):
            args = tuple(_without_text(arg, told) if isinstance(arg, BaseException) else arg for arg in args)
        if exc_info and exc_info[1] is not None:
            shown = _without_text(exc_info[1], told)
            exc_info = (type(shown), shown, exc_info[2])
        return logging.LogRecord(name, level, path, line, msg, args, exc_info, *more, **kwargs)

    return make


def _without_text(exc: BaseException, told: tuple[type[BaseException], ...]) -> BaseException:
    """Return an exception that looks like another in a log, with its causes, but for the texts that are not told."""
    return _twin(exc, told, {})


def _twin(exc: BaseException, told: tuple[type[BaseException], ...], known: dict[int, BaseException]) -> BaseException:
    if id(exc) in known:
        return known[id(exc)]
    text = str(exc) if isinstance(exc, told) or not exc.args else _WITHHELD
    kind = type(type(exc).__name__, (Exception,), {"__module__": type(exc).__module__})
    twin: BaseException = kind(text) if text else kind()
    known[id(exc)] = twin
    twin.__traceback__ = exc.__traceback__
    if exc.__cause__ is not None:
        twin.__cause__ = _twin(exc.__cause__, told, known)
    if exc.__context__ is not None:
        twin.__context__ = _twin(exc.__context__, told, known)
    twin.__suppress_context__ = exc.__suppress_context__
    return twin
