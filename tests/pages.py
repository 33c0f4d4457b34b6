"""People who look at pages without a browser."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from gateway import call

_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answer:
    """A page; `cookies` are the headers that set some."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: list[str]


@dataclass
class Client:
    """Looks at pages and keeps cookies, as a browser does; it follows no redirect."""

    url: str
    kept: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """A page."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, **fields: object) -> Answer:
        """A form, just so."""
        sent = {"content-type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, urlencode(fields), sent)

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request."""
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=_PATIENCE_S)
        sent = dict(headers or {})
        if self.kept:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.kept.items())
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            cookies = [v for name, v in answer.getheaders() if name.lower() == "set-cookie"]
            for cookie in cookies:
                name, _, rest = cookie.partition("=")
                value = rest.split(";")[0].strip('"')
                if "Max-Age=0" in cookie:
                    self.kept.pop(name, None)
                else:
                    self.kept[name] = value
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, lower, answer.read().decode(), cookies)


@dataclass
class Person:
    """Somebody who is signed in."""

    client: Client

    def get(self, path: str) -> Answer:
        """A page."""
        return self.client.get(path)

    def token(self, path: str = "/dashboard/keys") -> str:
        """What forms have to bring along."""
        return token_of(self.client.get(path).text)

    def post(self, path: str, **fields: object) -> Answer:
        """A form, sent with its token."""
        return self.client.post(path, token=self.token(), **fields)


def sign_in(url: str, key: str) -> Person:
    """Signs in by a key."""
    client = Client(url)
    answer = client.post(
        "/dashboard/login", token=token_of(client.get("/dashboard/login").text), key=key
    )
    assert answer.status == 303, answer.text
    return Person(client)


def token_of(page: str) -> str:
    """The token of a page's forms."""
    found = _TOKEN.search(page)
    assert found is not None, page
    return found[1]


def ask(url: str, text: str, key: str | None = None, model: str = "auto") -> str:
    """Asks the gateway; gives the decision's id."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    reply = call(url, "POST", "/v1/chat/completions", body, key=key)
    assert reply.status == 200, reply.body
    return str(reply.headers["x-tierwise-decision-id"])
