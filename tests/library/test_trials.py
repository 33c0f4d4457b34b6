"""Trials of Anthropic's that a caller of the library takes part in."""

from __future__ import annotations

import pytest

from gateway import config_for
from messages_api import HELLO, an_answer
from tierwise import Orchestrator
from tierwise.errors import InvalidRequest
from upstream import says, upstreams


async def test_they_are_named_as_in_the_sdk_and_go_out_as_a_header() -> None:
    async with upstreams([says(an_answer("Good day"))]) as (claude,):
        data = config_for(claude.base_url)
        data["providers"]["alpha"]["dialect"] = "anthropic"
        async with Orchestrator.from_config(data) as o:
            asked = {"model": "small", "max_tokens": 9, "messages": HELLO}
            answer = await o.messages(**asked, betas=["one", "two"])
            assert answer.text == "Good day"
            for wrong in ("one", ["one", 2]):
                with pytest.raises(InvalidRequest) as caught:
                    await o.messages(**asked, betas=wrong)
                assert caught.value.param == "betas"
    [seen] = claude.asked
    assert seen.headers["anthropic-beta"] == "one,two"
    assert "betas" not in seen.json()
