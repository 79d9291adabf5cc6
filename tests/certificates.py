"""Make certificates for servers and clients of tests."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Certificates:
    """Hold an authority and what it signed, as PEM files."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = trustme.CA()
        self.authority = directory / "authority.pem"
        self._authority.cert_pem.write_to_path(self.authority)
        self.other_authority = directory / "other-authority.pem"
        trustme.CA().cert_pem.write_to_path(self.other_authority)

    def issue(self, name: str, *identities: str) -> Path:
        """Return a file with a certificate and its key."""
        issued = self._authority.issue_cert(*identities, common_name=name)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        path = self._directory / f"{name}.pem"
        # Java reads no other format of keys.
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem + b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return path
