"""That a certificate is void, written down: a small file, so that others and the next start know.

One file for each policy and certificate, beside the ledger. It appears as a whole or not at all,
and who comes first writes it: workers and gateways with the same ledger need no lock between them.
A new certificate has another hash, and so no such file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

_MEMORY = ":memory:"
"""SQLite's name for a database without a file."""


class Void(Struct, frozen=True):
    """Why a certificate no longer holds, and since when, a Unix time in seconds."""

    reason: str
    since: float

    @property
    def day(self) -> str:
        """Since when, for people: date and minute by the machine's own calendar."""
        return datetime.fromtimestamp(self.since).astimezone().strftime("%Y-%m-%d %H:%M")


class VoidNote:
    """The note about one certificate of one policy, which is or is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Void | None:
        """What it says; None where there is none.

        One that cannot be read says so: what it was about stays void.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Void)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeError) as error:
            said = " ".join(str(error).split())[:160]
            with contextlib.suppress(OSError):
                return Void(f"{self.path} cannot be read: {said}", self.path.stat().st_mtime)
        return None

    def leave(self, void: Void) -> bool:
        """Writes it; False if there is one already.

        Raises:
            OSError: it cannot be written.
        """
        handle, written = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(void))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(written, self.path)  # unlike a rename, it replaces nothing
            except FileExistsError:
                return False
            except OSError:
                # Not all file systems have links. Who comes last is as right as who came first.
                Path(written).replace(self.path)
        finally:
            Path(written).unlink(missing_ok=True)
        return True

    def remove(self) -> Void | None:
        """Takes it away; what it said, None where there was none.

        Raises:
            OSError: it cannot be removed.
        """
        said = self.read()
        self.path.unlink(missing_ok=True)
        return said


def kept_note(ledger: str, policy: str, certificate: str) -> VoidNote | None:
    """The note that outlives the process, beside the ledger; None where that is in memory.

    Args:
        certificate: the hash of the certificate's contents.
    """
    if ledger == _MEMORY:
        return None
    return VoidNote(Path(f"{ledger}.{_name(policy, certificate)}"))


def shared_note(folder: Path, policy: str, certificate: str) -> VoidNote:
    """The note that processes share for as long as they serve together, in a folder of theirs."""
    return VoidNote(folder / _name(policy, certificate))


def _name(policy: str, certificate: str) -> str:
    """One for each policy and certificate; a policy's name may have characters that no file may."""
    named = hashlib.sha256(policy.encode()).hexdigest()[:16]
    return f"void-{named}-{certificate[:16]}.json"
