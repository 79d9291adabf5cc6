"""Write each event of the log in one form, ours, Faust's and other libraries': for people, or as JSON for programs.

Everybody logs through the standard library, with fields as ``extra``; structlog makes the lines.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, Literal

import structlog

LogForm = Literal["console", "json"]

#: What may stand beside an event, and nothing else: other libraries may give records fields with data in them.
FIELDS = frozenset(
    {
        "action",
        "agent",
        "assigned",
        "authenticated_by",
        "duty",
        "entries",
        "failure",
        "index",
        "offset",
        "outcome",
        "partition",
        "partitions",
        "reasons",
        "records",
        "refused",
        "seconds",
        "table",
        "topic",
    }
)


def logging_config(form: LogForm) -> dict[str, Any]:
    """Return what Faust is to change of its configuration: how lines look; where to and which stay its own."""

    def formatter() -> logging.Formatter:
        return line_formatter(form)

    return {"merge": True, "formatters": {"default": {"()": formatter}, "colored": {"()": formatter}}}


def line_formatter(form: LogForm) -> logging.Formatter:
    """Return what makes lines of log records; stack traces are as Python has them, without variables."""
    renderers: list[Any]
    if form == "json":
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderers = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            )
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=FIELDS),
            _on_one_line,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )


def _on_one_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Undo the tables that Faust and aiokafka make of what they log; stack traces are not part of this."""
    event["event"] = " ".join(str(event["event"]).split())
    return event


def error_line(text: str, form: LogForm) -> str:
    """Return the line that tells whoever runs the program why it ends."""
    return json_line("error", text) if form == "json" else f"Error: {text}"


def json_line(level: str, event: str, **fields: Any) -> str:
    """Return an event as the log has it in JSON, for what is told where there is no log yet, or none any more."""
    time = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    return json.dumps({"timestamp": time, "level": level, "logger": "bp_faust", "event": event, **fields}, default=str)
