"""How long every page of the dashboard takes, asked of a gateway over HTTP as a browser asks."""

from __future__ import annotations

import http.client
import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from urllib.parse import quote, urlencode

from msgspec import Struct

from tierwise.bench.ledger_people import Person
from tierwise.bench.programs import BenchError

RUNS = 11
"""More than ten: a server that has prepared a statement may plan it otherwise from then on."""
ASKED = 30
"""So many requests are asked before pages are looked at, so that there are newest ones."""
_TIMEOUT_S = 120.0
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_FIELD = re.compile(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"')
_PROMPTS = ("What is 17 times {}?", "Is {} a prime? Say yes or no.", "Write {} in words.")


class PageTime(Struct, frozen=True, kw_only=True):
    """How long a page took whoever looked, in seconds: at first, and the median of those after."""

    page: str
    person: str
    first_s: float
    median_s: float


class Browser:
    """Somebody who has signed in, on one connection."""

    def __init__(self, port: int, person: Person) -> None:
        self.name = person.name
        self._secret = person.secret
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._cookies: dict[str, str] = {}
        self.token = self._token("/dashboard/login")
        self.page("/dashboard/login", {"token": self.token, "key": person.secret}, status=303)
        self.token = self._token("/dashboard/playground")

    def page(self, path: str, form: Mapping[str, str] | None = None, *, status: int = 200) -> str:
        """A page, or what a form leads to.

        Raises:
            BenchError: it did not come with this status.
        """
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        body = None if form is None else urlencode(form)
        headers = {"cookie": cookies, **({} if form is None else _FORM)}
        self._connection.request("GET" if form is None else "POST", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != status:
            raise BenchError(f"{path} is {answer.status} for the {self.name}: {text[-500:]}")
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key] = rest.split(";")[0].strip('"')
        return text

    def ask(self, text: str) -> str:
        """Asks the gateway under the policy `auto`; gives the decision's id."""
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._secret}"}
        self._connection.request("POST", "/v1/chat/completions", body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise BenchError(f"the gateway does not answer: {answer.status} {said[:300]!r}")
        return answer.headers["x-tierwise-decision-id"] or ""

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()

    def _token(self, path: str) -> str:
        found = _TOKEN.search(self.page(path))
        if found is None:
            raise BenchError(f"{path} has no form")
        return found[1]


def asked(browser: Browser, times: int = ASKED) -> str:
    """Asks so many different requests; gives the id of the last one."""
    found = ""
    for number in range(times):
        found = browser.ask(_PROMPTS[number % len(_PROMPTS)].format(100 + number))
    return found


def page_times(port: int, people: Sequence[Person], key: str, middle: float) -> list[PageTime]:
    """Looks at all pages that each of them may see.

    Args:
        key: the id of a key that asks seldom, to search for.
        middle: a Unix time in the middle of the ledger, for the page of a list that ends there.
    """
    took = []
    for person in people:
        with closing(Browser(port, person)) as browser:
            own = asked(browser)
            time.sleep(1.0)  # until what was asked is written
            for name, path, form in _pages(browser, own, key, middle):
                times = [_timed(browser, path, form) for _ in range(RUNS + 1)]
                median = statistics.median(times[1:])
                took.append(
                    PageTime(page=name, person=person.name, first_s=times[0], median_s=median)
                )
    return took


Page = tuple[str, str, Mapping[str, str] | None]


def _pages(browser: Browser, own: str, key: str, middle: float) -> Iterator[Page]:
    """All pages: what it is called, its address, and the form that is sent there, if one is."""
    yield "overview", "/", None
    for period in ("1h", "7d", "90d"):
        yield f"overview, {period}", f"/?period={period}", None
    yield "overview, what renews itself", "/?fragment=1", None
    base = "/dashboard/requests"
    yield "requests", base, None
    yield "requests, of 90 days", f"{base}?period=90d", None
    yield "requests, errors of a model", f"{base}?model=sim-large&status=error", None
    yield "requests, a kind of one key", f"{base}?kind=code&key={quote(key)}", None
    yield "requests, what never happens", f"{base}?kind=vision&status=error&period=90d", None
    yield "requests, failed over", f"{base}?trouble=failover&period=90d", None
    yield "requests, an id's beginning", f"{base}?id={own[:12]}", None
    yield "requests, a page in the middle", f"{base}?before={middle!r}_0", None
    yield "a request", f"{base}/{own}", None
    yield "models", "/dashboard/models", None
    yield "keys and budgets", "/dashboard/keys", None
    yield "policies", "/dashboard/policies", None
    yield "playground", "/dashboard/playground", None
    if browser.name in ("operator", "admin"):
        yield "audit log", "/dashboard/audit", None
    if browser.name == "operator":
        edited = "/dashboard/policies/auto"
        yield "a policy", edited, None
        found: list[tuple[str, str]] = _FIELD.findall(browser.page(edited))
        form = {name: value for name, value in found if name not in ("allow", "deny")}
        sent = {**form, "token": browser.token, "quality": "0.9"}
        yield "a policy's preview", f"{edited}/preview", sent


def _timed(browser: Browser, path: str, form: Mapping[str, str] | None) -> float:
    began = time.perf_counter()
    browser.page(path, form)
    return time.perf_counter() - began
