"""Have a disk that can be filled up without harm to anyone."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

#: How much is written at once, the largest first.
_BLOCK_BYTES = (1 << 20, 4096, 1)


class NoDiskError(Exception):
    """Say why there can be no such disk here."""


class SmallDisk:
    """Hold a file system of its own, in memory, under a folder."""

    def __init__(self, path: Path, megabytes: int) -> None:
        """Mount it; raise NoDiskError where this user may not."""
        self.path = path
        self._ballast = path / "ballast"
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as exc:
            raise NoDiskError("there is no command mount here") from exc
        if answer.returncode:
            raise NoDiskError(f"a file system cannot be mounted: {answer.stderr.strip() or answer.returncode}")

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in _BLOCK_BYTES:
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError as exc:
                    if exc.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Free what was filled."""
        self._ballast.unlink()

    def unmount(self) -> None:
        """Give it back; nobody may use it any more."""
        subprocess.run(["umount", str(self.path)], check=True)
