"""A certificate authority of the test's own, made with openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Self

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Issues certificates into files that servers read: `certificate` and `key`, in a folder of their own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-ca-")).resolve()
        self.folder.chmod(0o755)
        self.certificate = self.folder / "site" / "cert.pem"
        self.key = self.folder / "site" / "key.pem"
        self.certificate.parent.mkdir(mode=0o755)
        self._openssl(
            "req",
            "-x509",
            *NEW_KEY,
            "-days",
            "2",
            "-subj",
            "/CN=A test",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def issue(self, *names: str, days: int = 2, readable: bool = True) -> None:
        """Puts a new certificate for the names, and its new key, in the place of those that are there.

        Args:
            days: how long it is valid; a negative number makes one that has expired.
            readable: for every user, as a server in a container is another one.
        """
        (self.folder / "names").write_text(f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
        self._openssl("req", *NEW_KEY, "-subj", f"/CN={names[0]}", "-keyout", "new.key", "-out", "new.req")
        authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        self._openssl("x509", "-req", "-in", "new.req", *authority, "-days", str(days), "-out", "new.pem")
        (self.folder / "new.key").chmod(0o644 if readable else 0o600)
        (self.folder / "new.key").replace(self.key)
        (self.folder / "new.pem").replace(self.certificate)

    def context(self) -> ssl.SSLContext:
        """What a client has that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def settings(self) -> dict[str, str]:
        """The two files as settings."""
        return {"TLS_CERT_FILE": str(self.certificate), "TLS_KEY_FILE": str(self.key)}

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
