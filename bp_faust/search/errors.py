"""Name what can go wrong between this package and Elasticsearch.

SearchError
├── IndexMappingError      an existing index cannot hold our documents
├── SearchDeniedError      our credentials are refused, or grant too little
└── SearchUnavailableError Elasticsearch cannot be reached for now
"""


class SearchError(Exception):
    """Report that Elasticsearch cannot be used the way it is set up; the base of all errors here."""


class IndexMappingError(SearchError):
    """Report an existing index whose mapping cannot hold our documents."""


class SearchDeniedError(SearchError):
    """Report that Elasticsearch refuses our credentials, or grants them too little."""


class SearchUnavailableError(SearchError):
    """Report that Elasticsearch cannot be reached for now."""
