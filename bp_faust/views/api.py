"""Describe what the worker offers to programs: over HTTP, and on its topics."""

from __future__ import annotations

from typing import Any

from faust.web import Request, Response, View

from bp_faust.app import app, settings
from bp_faust.topic_api import describe_topics
from bp_faust.views.operations import describe, operation


@app.page("/openapi.json", name="openapi")
class OpenApi(View):
    """Describe what is answered over HTTP."""

    @operation(dict[str, Any])
    async def get(self, request: Request) -> Response:
        """Return the OpenAPI document of this worker."""
        return self.json(describe(app.web.views, token_needed=settings.secret("web_token") is not None))


@app.page("/asyncapi.json", name="asyncapi")
class AsyncApi(View):
    """Describe the topics."""

    @operation(dict[str, Any])
    async def get(self, request: Request) -> Response:
        """Return the AsyncAPI document of this worker's topics."""
        return self.json(describe_topics())
