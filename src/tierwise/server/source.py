"""Where the configuration came from, so that it can be read again while the gateway runs."""

from __future__ import annotations

from msgspec import Struct

from tierwise.config import Config, load
from tierwise.errors import ConfigError
from tierwise.server.exposure import check_exposure

FIXED = (
    "server.host",
    "server.port",
    "server.tls",
    "server.trusted_proxies",
    "server.grace_s",
    "server.notice_s",
    "server.log_format",
    "server.access_log",
    "ledger.path",
    "ledger.url",
    "ledger.queue_size",
    "state.url",
    "state.password",
    "state.ca_file",
    "state.prefix",
    "state.timeout_s",
    "accounts.enabled",
)
"""What only a restart changes: the address is taken, log, database and Redis are open."""


class Source(Struct, frozen=True):
    """The file, and what the command line has otherwise; None where it says nothing.

    Without a file the gateway took what it found, and there is nothing to read again.
    """

    file: str | None = None
    host: str | None = None
    port: int | None = None

    def over(self, config: Config) -> Config:
        """The configuration with what the command line has otherwise."""
        given = {"host": self.host, "port": self.port}
        changes = {name: value for name, value in given.items() if value is not None}
        server = config.server.model_copy(update=changes)
        return config.model_copy(update={"server": server})

    def again(self, running: Config) -> tuple[Config, tuple[str, ...]]:
        """The configuration as it is written now, and the fields whose change must wait.

        Args:
            running: the one that is served by; what only a restart changes is taken from it.

        Raises:
            ConfigError: the file is wrong now, or there is none.
        """
        if self.file is None:
            raise ConfigError(
                "the gateway was started without a configuration file, so there is nothing to "
                "read again",
                remedy="Write one with `tierwise init`, and start with `--config FILE`.",
            )
        written = self.over(load(self.file))
        config = _keep_fixed(written, running)
        check_exposure(config)
        return config, tuple(name for name in FIXED if _of(written, name) != _of(running, name))


def _keep_fixed(written: Config, running: Config) -> Config:
    sections: dict[str, dict[str, object]] = {}
    for name in FIXED:
        section, _, field = name.partition(".")
        sections.setdefault(section, {})[field] = _of(running, name)
    changed = {
        name: getattr(written, name).model_copy(update=fields) for name, fields in sections.items()
    }
    return written.model_copy(update=changed)


def _of(config: Config, name: str) -> object:
    section, _, field = name.partition(".")
    return getattr(getattr(config, section), field)
