"""A provider of OpenID Connect that signs in whomever a test names, without asking."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "tierwise-test", "oidc-secret-1"


@dataclass
class OidcProvider:
    """It runs in a thread; `claims` are those of whoever signs in next, `spoils` of their token."""

    claims: dict[str, Any] = field(default_factory=dict)
    spoils: dict[str, Any] = field(default_factory=dict)
    refuses: str | None = None
    foreign_key: bool = False
    url: str = ""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> OidcProvider:
        self._key = RSAKey.generate_key(2048, {"kid": "one"})
        self._foreign = RSAKey.generate_key(2048, {"kid": "one"})
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"  # another site than 127.0.0.1
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, request: BaseHTTPRequestHandler) -> None:
        """What it publishes, and its login, which sends the browser back at once."""
        split = urlsplit(request.path)
        if split.path == "/.well-known/openid-configuration":
            _json(request, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/login",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            })  # fmt: skip
        elif split.path == "/keys":
            _json(request, {"keys": [self._key.as_dict(private=False)]})
        elif split.path == "/login":
            asked = {name: values[0] for name, values in parse_qs(split.query).items()}
            code = f"code-{len(self._codes)}"
            self._codes[code] = asked
            back = {"state": asked["state"]}
            back |= {"code": code} if self.refuses is None else {"error": self.refuses}
            request.send_response(302)
            request.send_header("location", f"{asked['redirect_uri']}?{urlencode(back)}")
            request.end_headers()

    def post(self, request: BaseHTTPRequestHandler) -> None:
        """A token for a code, once, for whoever began it."""
        length = int(request.headers["content-length"])
        form = {k: v[0] for k, v in parse_qs(request.rfile.read(length).decode()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=")
        if (
            asked is None
            or request.headers["authorization"] != f"Basic {basic}"
            or asked["code_challenge"] != challenge.decode()
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            _json(request, {"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        said = {
            "iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.claims, **self.spoils,
        }  # fmt: skip
        key = self._foreign if self.foreign_key else self._key
        token = jwt.encode({"alg": "RS256", "kid": "one"}, said, key)
        _json(request, {"access_token": "a", "token_type": "Bearer", "id_token": token})


def _json(request: BaseHTTPRequestHandler, value: object, status: int = 200) -> None:
    body = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("content-type", "application/json")
    request.send_header("content-length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
