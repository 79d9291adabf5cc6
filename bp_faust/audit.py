"""Note who did what, in the same transaction as what was done: neither is there without the other."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import datetime, timezone
from typing import Any, Literal
from uuid import uuid4

import msgspec
from mode.utils.logging import get_logger
from msgspec import Struct

from bp_faust.app import app
from bp_faust.engine.together import Message, send_together
from bp_faust.topics import audit
from bp_faust.views.access import ACCESS

logger = get_logger(__name__)


class Actor(Struct, omit_defaults=True):
    """Say who acts, as far as that is known, and from where."""

    authenticated_by: Literal["token", "session", "operating system"]
    #: The worker that was asked, as host:port, or the host on which the command ran.
    host: str
    #: What the person says of themselves.
    who: str | None = None
    #: The user of the operating system.
    user: str | None = None
    session: str | None = None
    remote: str | None = None
    #: What the proxy or worker that passed the request on says of where it came from; whoever sends it can make it up.
    forwarded_for: str | None = None


class Action(Struct, omit_defaults=True):
    """Say what is done, and to whom."""

    action: Literal["set", "remove", "acknowledge", "replay"]
    #: ``patient/<id>`` or ``cohort/<name>``, as on the topic of settings.
    subject: str | None = None
    details: Any = None


class Stamp(Struct):
    """Say which record this is, of when, and what became of the action: ``done``, or how a replay went."""

    id: str
    #: ISO 8601 in UTC.
    time: str
    outcome: str


def of_request(request: Any, who: str | None = None) -> Actor:
    """Return who acts by a request that was let in."""
    access = request[ACCESS]
    forwarded_for = request.headers.get("X-Forwarded-For")
    return Actor(
        authenticated_by=access.by,
        host=app.conf.canonical_url.authority,
        who=who,
        session=access.session,
        remote=request.remote,
        # A header may hold bytes that are no text.
        forwarded_for=forwarded_for.encode(errors="replace").decode() if forwarded_for is not None else None,
    )


def of_command(who: str | None = None) -> Actor:
    """Return who acts by a command."""
    return Actor(authenticated_by="operating system", host=socket.gethostname(), who=who, user=_user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # Containers are run by users that have no name there.
        return str(os.getuid())


async def act(actor: Actor, action: Action, *messages: Message) -> None:
    """Send what an action takes, and its audit record; raise EngineError where Kafka does not take them all."""
    await send_together(app, [_message(actor, action, "done"), *messages])
    _tell(actor, action, "done")


async def note(actor: Actor, action: Action, outcome: str) -> None:
    """Send an audit record alone, for what is too long for one transaction; raise EngineError as above."""
    await send_together(app, [_message(actor, action, outcome)])
    _tell(actor, action, outcome)


def _tell(actor: Actor, action: Action, outcome: str) -> None:
    # On whom, and who by name, is for the audit topic alone.
    fields = {"action": action.action, "outcome": outcome, "authenticated_by": actor.authenticated_by}
    logger.info("Audited: %s, %s.", action.action, outcome, extra=fields)


def _message(actor: Actor, action: Action, outcome: str) -> Message:
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    parts = (Stamp(str(uuid4()), time, outcome), action, actor)
    record = {name: value for part in parts for name, value in msgspec.to_builtins(part).items()}
    return Message(
        audit.get_topic_name(),
        action.subject.encode() if action.subject is not None else None,
        msgspec.json.encode(record),
    )
