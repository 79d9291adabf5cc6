"""Name what can go wrong with the local stack.

LocalStackError
├── DownloadError  a server's parts are missing and cannot be fetched
├── PortTakenError a chosen port is in use
├── DataInUseError another stack runs on the same data directory
└── ServerError    a server did not start, or ended by itself
"""


class LocalStackError(Exception):
    """Stand for every error of the local stack; its text says what was wrong, where, and what to do."""


class DownloadError(LocalStackError):
    """Say that a server's parts are missing and cannot be fetched."""


class PortTakenError(LocalStackError):
    """Say that a chosen port is in use."""


class DataInUseError(LocalStackError):
    """Say that another stack runs on the same data directory."""


class ServerError(LocalStackError):
    """Say that a server did not start, or ended by itself."""
