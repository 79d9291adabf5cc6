"""Note whether Elasticsearch answers, and tell when that changes."""

import logging
import time
from collections.abc import Callable

_logger = logging.getLogger(__name__)


class Availability:
    """Hold whether the last request was answered by an Elasticsearch that is up."""

    def __init__(self, where: str, clock: Callable[[], float] = time.monotonic, *, index: str | None = None) -> None:
        """Note it of the Elasticsearch at an address, which holds no credentials, as who writes to an index sees it."""
        self._where = where
        self._index = index
        self._clock = clock
        self._away_since: float | None = None
        #: None before the first request.
        self.answers: bool | None = None

    def up(self) -> None:
        """Note an answer."""
        self.answers = True
        if self._away_since is not None:
            seconds = round(self._clock() - self._away_since, 3)
            self._away_since = None
            _logger.info(
                "Elasticsearch at %s answers again.", self._where, extra={"seconds": seconds, "index": self._index}
            )

    def down(self, cause: str) -> None:
        """Note that there was none, or one that says to try later; ``cause`` completes "Elasticsearch at ... "."""
        self.answers = False
        if self._away_since is None:
            self._away_since = self._clock()
            _logger.warning(
                "Elasticsearch at %s %s: documents are kept and sent again until it takes them.",
                self._where,
                cause,
                extra={"index": self._index},
            )
