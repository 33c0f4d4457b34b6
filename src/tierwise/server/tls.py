"""TLS with a certificate that may be exchanged while the gateway runs.

Certificates are short-lived and renewed by other programs. Whoever connects gets the one that lies
there now: the files are looked at again at a handshake, at most once a second.
"""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path

from tierwise.config.serving import TlsConfig
from tierwise.errors import ConfigError

log = logging.getLogger("tierwise.server")

_LOOK_S = 1.0


def context_for(config: TlsConfig) -> ssl.SSLContext:
    """What a server listens with.

    Raises:
        ConfigError: a file cannot be read, or certificate and key do not belong together.
    """
    context = _loaded(config)
    context.sni_callback = _Renewed(config, context)
    return context


class _Renewed:
    """Gives each handshake the newest certificate; the one before it, where that is broken."""

    def __init__(self, config: TlsConfig, context: ssl.SSLContext) -> None:
        self._config = config
        self._current = context
        self._seen = _versions(config)
        self._looked = time.monotonic()

    def __call__(self, connection: ssl.SSLObject, *_: object) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._look()
        connection.context = self._current

    def _look(self) -> None:
        versions = _versions(self._config)
        if versions == self._seen:
            return
        self._seen = versions
        try:
            self._current = _loaded(self._config)
        except ConfigError as error:
            log.error("the new certificate is not used, the old one goes on serving: %s", error)
        else:
            log.warning("the certificate %s was renewed", self._config.certificate)


def _loaded(config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    password = config.key_password
    try:
        context.load_cert_chain(
            config.certificate,
            config.key,
            # Without one OpenSSL would ask for it on the terminal, and wait.
            (lambda: password.get_secret_value()) if password is not None else _no_password,
        )
    except (OSError, ssl.SSLError) as error:
        raise _unusable(config, "certificate", error) from None
    if config.client_ca is not None:
        try:
            context.load_verify_locations(config.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(config, "client_ca", error) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    return ""


def _versions(config: TlsConfig) -> tuple[tuple[int, int] | None, ...]:
    files = (config.certificate, config.key, config.client_ca)
    return tuple(_version(Path(file)) for file in files if file is not None)


def _version(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()  # of what a link leads to: platforms exchange links
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _unusable(config: TlsConfig, field: str, error: Exception) -> ConfigError:
    files = config.client_ca if field == "client_ca" else f"{config.certificate} and {config.key}"
    return ConfigError(
        f"{files} cannot be used: {error}",
        field=f"server.tls.{field}",
        remedy="Name PEM files that exist and belong together, and `key_password` if the key has "
        "one.",
    )
