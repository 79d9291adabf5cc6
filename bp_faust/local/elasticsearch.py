"""Run Elasticsearch: one node of the version that docker-compose.yml has."""

from __future__ import annotations

import shutil
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bp_faust.local.processes import Server

_PLUGIN = """\
name=transport-netty4
description=HTTP and transport over Netty 4
version=8.9.0
elasticsearch.version=8.9.0
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
extended.plugins=
has.native.controller=false
"""


class ElasticsearchNode(Server):
    """Run a single node with nothing but what its published jars hold: no x-pack, no scripts."""

    name = "Elasticsearch"
    port_option = "--elasticsearch-port"

    def __init__(self, data_dir: Path, jars: Sequence[Path], port: int = 0, *, heap: str = "512m") -> None:
        super().__init__(data_dir, port)
        self._jars = jars
        self._heap = heap

    @property
    def url(self) -> str:
        """Return the node's address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Lay out the server's home, and return the command."""
        home = self.data_dir / "home"
        plugin = home / "modules" / "transport-netty4"
        for name in ("config", "plugins", "data", "logs"):
            (home / name).mkdir(parents=True, exist_ok=True)
        for folder in (home / "module-path", plugin):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for jar in self._jars:
            of_plugin = jar.name.startswith(("netty-", "transport-netty4"))
            ((plugin if of_plugin else home / "module-path") / jar.name).symlink_to(jar.resolve())
        (plugin / "plugin-descriptor.properties").write_text(_PLUGIN)
        script = Path(__file__).with_name("elasticsearch_node.py")
        return [sys.executable, str(script), str(home), str(self.port), self._heap]

    def is_ready(self) -> bool:
        """Tell whether the node's cluster is at least yellow."""
        health = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s"
        try:
            with urllib.request.urlopen(health, timeout=3) as response:
                return bool(response.status == 200)
        except OSError:
            return False
