"""Tell who may change things over HTTP."""

from __future__ import annotations

import hmac
from typing import Any


def has_token(request: Any, token: str) -> bool:
    """Tell whether a request bears a token; how long that takes says nothing of how much of it is right."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
