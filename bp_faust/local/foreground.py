"""Run in the foreground until someone asks to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the block in an orderly way; a second one while it ends is ignored."""

    def end(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise EndRequested

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except EndRequested:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class EndRequested(BaseException):
    """Say that someone asked to end; no error."""
