"""Run a real Kafka with TLS, users and rights, for tests of secure connections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType
from kafka.admin.acl_resource import ACLResourcePatternType

from bp_faust.local.downloads import KAFKA, default_cache_dir, fetch
from bp_faust.local.kafka import KafkaBroker
from bp_faust.local.processes import chosen_port
from tests.certificates import Certificates

#: A user who may do everything, and one who may do what ``allow`` gives him.
ADMIN, WARD = "admin", "ward"
PASSWORDS = {ADMIN: "p@ss:of/admin", WARD: "p@ss:of/ward"}
#: How users may sign in, by listener.
MECHANISMS = {"SASL_SSL": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "SASL_PLAINTEXT": ("SCRAM-SHA-256",)}

#: Where nobody is.
UNKNOWN = "kafka.invalid:9092"


class SecureKafka(KafkaBroker):
    """Listen for each security protocol on a port of its own; who comes to the plaintext one may do everything.

    The SSL listener asks for a client's certificate, whose common name is then the user. One more listener, ELSEWHERE,
    speaks plaintext and sends everyone on to a name that is unknown.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, fetch(KAFKA, default_cache_dir()))
        self.certificates = Certificates(data_dir / "certificates")
        self.ports = {
            "PLAINTEXT": self.port,
            **{name: chosen_port(0) for name in ("SSL", "SASL_SSL", "SASL_PLAINTEXT", "ELSEWHERE")},
        }
        self._properties = self._secure_properties()

    def address(self, protocol: str) -> str:
        """Return the host:port of a security protocol's listener."""
        return f"127.0.0.1:{self.ports[protocol]}"

    def environment_for(self, protocol: str, mechanism: str = "SCRAM-SHA-512", user: str = WARD) -> dict[str, str]:
        """Return the settings with which a worker comes in by a protocol, as a user."""
        settings = {
            "BP_FAUST_BROKER_URL": f"kafka://{self.address(protocol)}",
            "BP_FAUST_BROKER_SECURITY_PROTOCOL": protocol,
        }
        if protocol.startswith("SASL_"):
            settings["BP_FAUST_BROKER_SASL_MECHANISM"] = mechanism
            settings["BP_FAUST_BROKER_USERNAME"] = user
            settings["BP_FAUST_BROKER_PASSWORD"] = PASSWORDS[user]
        if protocol.endswith("SSL"):
            settings["BP_FAUST_BROKER_CA_CERTS"] = str(self.certificates.authority)
        if protocol == "SSL":
            settings["BP_FAUST_BROKER_CLIENT_CERT"] = str(self.certificates.issue(user, user))
        return settings

    def allow_installation(self, app_id: str, *topic_operations: str) -> None:
        """Give the ward's user what docs/how-to/secure-connections.md says, and more operations on the topics."""
        self.allow(WARD, "topic", app_id, ["READ", "WRITE", *topic_operations], prefixed=True)
        self.allow(WARD, "group", app_id, ["READ"])
        self.allow(WARD, "transactional_id", app_id, ["WRITE"], prefixed=True)

    def _secure_properties(self) -> dict[str, str]:
        controller = chosen_port(0)
        listeners = ",".join(f"{name}://{self.address(name)}" for name in self.ports)
        protocols = ",".join(f"{name}:{'PLAINTEXT' if name == 'ELSEWHERE' else name}" for name in self.ports)
        plain = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
        properties = {
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners.replace(self.address("ELSEWHERE"), UNKNOWN),
            "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.issue("broker", "127.0.0.1")),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.authority),
            "listener.name.ssl.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{ADMIN}",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        }
        for listener, mechanisms in MECHANISMS.items():
            prefix = f"listener.name.{listener.lower()}"
            properties[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(mechanisms)
            for mechanism in mechanisms:
                module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
                properties[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = (
                    f"org.apache.kafka.common.security.{module} required {plain if mechanism == 'PLAIN' else ''};"
                )
        return properties

    def _format(self, path: str, *options: str) -> None:
        users = [
            f"--add-scram={mechanism}=[name={user},password={password}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for user, password in PASSWORDS.items()
        ]
        super()._format(path, *options, *users)

    def allow(self, user: str, resource: str, name: str, operations: Iterable[str], *, prefixed: bool = False) -> None:
        """Give a user rights on a ``topic``, ``group`` or ``transactional_id``, or on all whose names begin so."""
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            pattern = ResourcePattern(
                ResourceType[resource.upper()],
                name,
                ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL,
            )
            client.create_acls(
                [
                    ACL(f"User:{user}", "*", ACLOperation[operation.upper()], ACLPermissionType.ALLOW, pattern)
                    for operation in operations
                ]
            )
        finally:
            client.close()
