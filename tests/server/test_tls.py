"""TLS by configuration: who is served, who is not, and certificates that are renewed."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest
from cryptography import x509

from authority import Authority
from gateway import KEY, GatewayProcess, Provider, chat, config_for, tierwise, until, write_config
from tierwise.config import load
from tierwise.errors import ConfigError

pytestmark = pytest.mark.process


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def served(folder: Path, provider: Provider, **tls: Any) -> GatewayProcess:
    files = {name: str(value) for name, value in tls.items()}
    server = {"api_keys": [KEY], "tls": files}
    config = config_for(provider.url, server=server, ledger={"path": str(folder / "ledger.db")})
    write_config(folder / "tierwise.yaml", config)
    return GatewayProcess("--config", str(folder / "tierwise.yaml"), cwd=folder)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def shown(url: str) -> str:
    """The common name of the certificate that a new connection is shown."""
    host, _, port = url.removeprefix("https://").partition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    der = connection.sock.getpeercert(binary_form=True)
    connection.close()
    name = x509.load_der_x509_certificate(der).subject
    return str(name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


@pytest.mark.parametrize("password", [None, b"open-sesame"])
def test_an_official_client_is_answered_over_tls(
    tmp_path: Path, provider: Provider, authority: Authority, password: bytes | None
) -> None:
    certificate, key = authority.issue(tmp_path, "one", password)
    secret = {"key_password": password.decode()} if password else {}
    with served(tmp_path, provider, certificate=certificate, key=key, **secret) as gateway:
        url = gateway.url
        assert url.startswith("https://")
        client = openai.OpenAI(
            base_url=f"{url}/v1",
            api_key=KEY,
            http_client=httpx.Client(verify=trusting(authority)),
        )
        said: Any = [{"role": "user", "content": "Hello"}]
        whole = client.chat.completions.with_raw_response.create(model="small", messages=said)
        assert whole.headers["strict-transport-security"] == "max-age=31536000"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.parse().choices[0].message.content
        chunks = client.chat.completions.create(model="small", messages=said, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert gateway.end(signal.SIGTERM) == 0


def test_a_renewed_certificate_is_shown_to_who_connects_next(
    tmp_path: Path, provider: Provider, authority: Authority
) -> None:
    certificate, key = authority.issue(tmp_path, "one")
    with served(tmp_path, provider, certificate=certificate, key=key) as gateway:
        url = gateway.url
        assert shown(url) == "one"
        newer, its_key = authority.issue(tmp_path, "two")
        its_key.replace(key)
        newer.replace(certificate)
        until(lambda: shown(url) == "two", "the renewed certificate")
        certificate.write_text("broken")
        until(lambda: shown(url) and "is not used" in gateway.stderr, "a word about the broken one")
        assert shown(url) == "two"


def test_only_clients_with_a_certificate_are_let_in_where_one_is_asked_for(
    tmp_path: Path, provider: Provider, authority: Authority
) -> None:
    certificate, key = authority.issue(tmp_path, "one")
    theirs = Authority(tmp_path, "their-authority")
    files = {"certificate": certificate, "key": key, "client_ca": theirs.file}
    with served(tmp_path, provider, **files) as gateway:
        url = f"{gateway.url}/v1/models"
        bearer = {"authorization": f"Bearer {KEY}"}
        with pytest.raises(httpx.TransportError):
            httpx.get(url, headers=bearer, verify=trusting(authority))
        known = trusting(authority)
        known.load_cert_chain(*map(str, theirs.issue(tmp_path, "client")))
        assert httpx.get(url, headers=bearer, verify=known).status_code == 200


@pytest.mark.parametrize("wrong", ["missing", "mismatched"])
def test_files_that_cannot_be_used_are_told_at_the_start(
    tmp_path: Path, provider: Provider, authority: Authority, wrong: str
) -> None:
    certificate, key = authority.issue(tmp_path, "one")
    if wrong == "missing":
        key.unlink()
    else:
        _, key = authority.issue(tmp_path, "two")
    tls = {"certificate": str(certificate), "key": str(key)}
    config = config_for(provider.url, server={"api_keys": [KEY], "tls": tls, "port": 0})
    file = write_config(tmp_path / "tierwise.yaml", config)
    done = tierwise("serve", "--config", str(file), cwd=tmp_path)
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert "server.tls.certificate" in said
    assert "belong together" in said


@pytest.fixture
def behind_a_proxy(tmp_path: Path, provider: Provider) -> Iterator[Any]:
    """Starts a gateway without keys, whose operators are known by their address."""

    def start(*trusted: str) -> GatewayProcess:
        config = config_for(
            provider.url,
            server={"trusted_proxies": list(trusted), "api_keys": []},
            ledger={"path": str(tmp_path / "ledger.db")},
        )
        write_config(tmp_path / "tierwise.yaml", config)
        return GatewayProcess("--config", str(tmp_path / "tierwise.yaml"), cwd=tmp_path)

    return start


@pytest.mark.parametrize(("trusted", "status"), [([], 200), (["127.0.0.0/8"], 403)])
def test_the_address_of_a_client_is_taken_from_trusted_proxies_only(
    behind_a_proxy: Any, trusted: list[str], status: int
) -> None:
    with behind_a_proxy(*trusted) as gateway:
        drain = f"{gateway.url}/v1/admin/deployments/alpha/small/drain"
        reply = httpx.post(drain, headers={"x-forwarded-for": "203.0.113.9"})
        assert reply.status_code == status, reply.text


def test_a_proxy_that_is_no_address_is_refused(tmp_path: Path, provider: Provider) -> None:
    config = config_for(provider.url, server={"trusted_proxies": ["the-proxy"]})
    with pytest.raises(ConfigError, match=r"10\.0\.0\.0/8"):
        load(write_config(tmp_path / "tierwise.yaml", config), {})


def test_what_a_reload_changes_is_logged_without_secrets(
    tmp_path: Path, provider: Provider
) -> None:
    config = config_for(
        provider.url, server={"api_keys": [KEY]}, ledger={"path": str(tmp_path / "ledger.db")}
    )
    file = write_config(tmp_path / "tierwise.yaml", config)
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        until(lambda: chat(gateway.url).status == 200, "the gateway to serve")
        config["providers"]["alpha"]["api_key"] = "sk-entirely-new"
        config["policies"]["hasty"]["deadline_s"] = 77
        config["server"]["limits"] = {"rpm": 60}
        write_config(file, json.loads(json.dumps(config)))
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: "was reloaded" in gateway.stderr, "the reload")
        said = gateway.stderr
    assert "~ policies.hasty.deadline_s: " in said
    assert "-> 77" in said
    assert "+ server.limits.rpm: 60" in said
    assert "~ providers.alpha.api_key: (secret) -> (secret)" in said
    assert "sk-entirely-new" not in said
