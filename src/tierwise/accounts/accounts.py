"""All that belongs to accounts, put together."""

from __future__ import annotations

from pathlib import Path

from tierwise.accounts.counter import Counter, InFile, InMemory
from tierwise.accounts.database import Database
from tierwise.accounts.directory import Directory
from tierwise.accounts.keyring import Keyring
from tierwise.accounts.store import Store
from tierwise.config.keeping import LedgerConfig
from tierwise.errors import ConfigError

_MEMORY = ":memory:"


class Accounts:
    """What is kept of accounts, and who holds which key. `open` it before anything else.

    Raises:
        ConfigError: the database cannot be used.
    """

    def __init__(self, url: str, counter: Counter | None = None) -> None:
        counter = counter or InMemory()
        self.database = Database(url)
        self.store = Store(self.database)
        self.keyring = Keyring(self.database)
        self.directory = Directory(self.database, counter)
        self.database.told.append(counter.tell)

    def open(self) -> None:
        """Creates what the database lacks, and reads who holds which key.

        Raises:
            ConfigError: the database cannot be read or written.
        """
        self.database.prepare()
        self.directory.refresh()

    def close(self) -> None:
        """Closes the connections."""
        self.database.close()


def accounts_of(ledger: LedgerConfig, folder: Path | None = None) -> Accounts:
    """The accounts in the database of a ledger.

    Args:
        folder: that all workers can write to, if there are several.

    Raises:
        ConfigError: the ledger is kept in memory, or its database cannot be used.
    """
    url = url_of(ledger)
    if url.startswith("sqlite"):
        # Beside the database, so that commands on this machine tell running gateways, too.
        file = Path(f"{ledger.path}-accounts")
        try:
            return Accounts(url, InFile(file))
        except OSError as error:
            raise ConfigError(
                f"{file} cannot be written: {error.strerror or error}",
                field="ledger.path",
                remedy="Name a file in a folder that this user may write to.",
            ) from error
    return Accounts(url, InFile(folder / "accounts") if folder is not None else None)


def url_of(ledger: LedgerConfig) -> str:
    """The URL of a ledger's database.

    Raises:
        ConfigError: it is kept in memory, where nobody else could see it.
    """
    if ledger.url is not None:
        return ledger.url.get_secret_value()
    if ledger.path == _MEMORY:
        raise ConfigError(
            "accounts cannot be kept in memory",
            field="ledger.path",
            remedy="Name a file, or set `accounts.enabled: false`.",
        )
    return f"sqlite:///{Path(ledger.path).absolute()}"
