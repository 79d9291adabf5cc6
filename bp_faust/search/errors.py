"""Name what can go wrong between this package and Elasticsearch."""


class SearchError(Exception):
    """Report that Elasticsearch cannot be used the way it is set up; the base of all errors here."""


class IndexMappingError(SearchError):
    """Report an existing index whose mapping cannot hold our documents."""


class SearchDeniedError(SearchError):
    """Report that Elasticsearch refuses our credentials, or grants them too little."""


class WriterStopped(SearchError):
    """Report that work was given up because the worker is stopping; what was not acknowledged must be sent again."""


class SearchUnavailableError(SearchError):
    """Report that Elasticsearch cannot be reached for now."""
