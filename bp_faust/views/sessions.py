"""Sign people in to the page: a cookie that any worker with the same token can check, and that is not the token."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta, timezone

from itsdangerous import BadSignature, TimestampSigner

#: The name of the cookie.
COOKIE = "bp_faust_session"

#: How long a session lasts.
DURATION = timedelta(hours=12)

#: The sessions that were signed out, and when. A worker that starts later, or did not answer, knows nothing of it.
_ended: dict[str, datetime] = {}


class Sessions:
    """Begin sessions and recognise them by their signature, whose key is made of the token: another token ends all."""

    def __init__(self, token: str) -> None:
        self._signer = TimestampSigner(
            token, salt="bp_faust session", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def begin(self) -> tuple[str, str]:
        """Return a new session's name, which is no secret, and what its cookie holds, which is one."""
        name = secrets.token_hex(8)
        return name, self._signer.sign(name).decode()

    def read(self, cookie: str, now: datetime | None = None) -> str | None:
        """Return the name of the session that a cookie stands for, None where it is not ours or is over."""
        try:
            name, begun = self._signer.unsign(cookie.encode("utf-8", "surrogateescape"), return_timestamp=True)
        except BadSignature:
            return None
        # Another worker's clock may be ahead of this one's: what begins in the future is as good.
        is_over = (now or datetime.now(timezone.utc)) - begun >= DURATION or name.decode() in _ended
        return None if is_over else name.decode()


def end_session(name: str) -> None:
    """End a session here: what it has open is then closed, and its cookie is worth nothing more."""
    now = datetime.now(timezone.utc)
    for over in [other for other, since in _ended.items() if now - since >= DURATION]:
        del _ended[over]
    _ended[name] = now
