"""Look at an Elasticsearch without changing anything: which it is, how it is, and what it lets us do."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from elasticsearch import ApiError, AsyncElasticsearch

#: What the worker does: ``ensure_index`` and the bulk writer.
_CLUSTER_RIGHTS = ("manage_index_templates",)
_INDEX_RIGHTS = ("create_index", "manage", "write")


class Node(NamedTuple):
    """Describe the node that answered."""

    version: str
    #: By how many seconds its clock is ahead of ours.
    ahead: float


async def node(client: AsyncElasticsearch) -> Node | None:
    """Return the node that answers, None where it does not tell: we may lack the right ``monitor``."""
    try:
        told = await client.nodes.info(node_id="_local", metric="_none", filter_path="nodes.*.version")
        before = time.time()
        now = await client.nodes.stats(node_id="_local", metric="process", filter_path="nodes.*.timestamp")
        after = time.time()
        return Node(_only(told)["version"], _only(now)["timestamp"] / 1000 - (before + after) / 2)
    except (ApiError, KeyError, ValueError):
        return None


def _only(answer: Any) -> Any:
    (found,) = answer["nodes"].values()
    return found


async def health(client: AsyncElasticsearch) -> str | None:
    """Return how the cluster is, ``green``, ``yellow`` or ``red``; None where it does not tell."""
    try:
        status: str = (await client.cluster.health())["status"]
    except ApiError:
        return None
    return status


async def lacking_rights(client: AsyncElasticsearch, indices: Sequence[str]) -> list[str] | None:
    """Return the rights that we lack, None where the server has no security that could be asked."""
    try:
        answer = await client.security.has_privileges(
            cluster=list(_CLUSTER_RIGHTS), index=[{"names": list(indices), "privileges": list(_INDEX_RIGHTS)}]
        )
    except ApiError as error:
        if error.status_code in (400, 404, 405, 500):
            return None  # a server without the security module knows no such request, with it switched off refuses it
        raise
    lacking = [f"{right} (cluster)" for right, has in answer["cluster"].items() if not has]
    for index in indices:
        lacking += [f"{right} ({index})" for right, has in answer["index"].get(index, {}).items() if not has]
    return lacking
