"""Name what can go wrong in the engine.

EngineError
├── BrokerUnavailableError  no Kafka broker answers
├── BrokerSettingsError     Kafka answers, and cannot be used with these settings
├── TopicError              a topic is missing and cannot be made, or has the wrong number of partitions
├── RightsError             our user of Kafka lacks a right
├── TransactionError        a batch could not be committed
├── StateError              the local table data cannot be used
├── RecoveryError           a table cannot be brought up to date from its changelog
└── WatchdogError           nobody would notice any more that something has ended
"""


class EngineError(Exception):
    """Stand for every error of the engine; its text says what was wrong, where, and what to do."""


class BrokerUnavailableError(EngineError):
    """Say that no Kafka broker answers."""


class BrokerSettingsError(EngineError):
    """Say that Kafka answers, and cannot be used with these settings."""


class TopicError(EngineError):
    """Say that a topic is missing and cannot be made, or has the wrong number of partitions."""


class RightsError(EngineError):
    """Say that our user of Kafka lacks a right."""


class TransactionError(EngineError):
    """Say that a batch could not be committed."""


class StateError(EngineError):
    """Say that the local table data cannot be used."""


class RecoveryError(EngineError):
    """Say that a table cannot be brought up to date from its changelog."""


class WatchdogError(EngineError):
    """Say that nobody would notice any more that something has ended."""
