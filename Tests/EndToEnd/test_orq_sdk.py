"""The official orq-ai-sdk streams through the proxy as it does without it."""

import asyncio

import pytest
from orq_ai_sdk import Orq

from conftest import KEY

ARGUMENTS = {
    "key": "text",
    "inputs": {"n": 40},
    "messages": [{"role": "user", "content": "Hi"}],
    "identity": {"id": "ada", "display_name": "Ada", "email": "ada@example.com"},
    "thread": {"id": "thread-1", "tags": ["blue"]},
    "metadata": {"environment": "test"},
}


def stream_sync(url, **more):
    with Orq(api_key=KEY, server_url=url) as client:
        with client.deployments.stream(**{**ARGUMENTS, **more}) as events:
            return [event.model_dump() for event in events]


async def stream_async(url):
    async with Orq(api_key=KEY, server_url=url) as client:
        async with await client.deployments.stream_async(**ARGUMENTS) as events:
            return [event.model_dump() async for event in events]


@pytest.mark.parametrize("suffix", ["", "/", "/my/router"])
def test_sync_chunks_are_identical_direct_and_through_the_proxy(tapedeck, upstream, suffix):
    proxy = tapedeck.serve(upstream.url)
    direct = stream_sync(upstream.url + suffix)
    assert len(direct) > 40
    assert stream_sync(proxy.url + suffix) == direct
    assert upstream.requests[1]["path"] == upstream.requests[0]["path"]
    assert upstream.requests[1]["body"] == upstream.requests[0]["body"]
    [call] = tapedeck.wait_for(tapedeck.calls)
    shown = tapedeck.wait_for(lambda: (s := tapedeck.show(call["call_id"]))["state"] == "done" and s)
    assert shown["identity_id"] == "ada" and shown["thread_id"] == "thread-1" and shown["thread_tags"] == ["blue"]
    assert shown["usage"]["total_tokens"] == 120
    assert shown["choices"][0]["content"].startswith("wörd0 数据 \"q\"\nword1 ")


def test_async_chunks_are_identical_direct_and_through_the_proxy(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    assert asyncio.run(stream_async(proxy.url)) == asyncio.run(stream_async(upstream.url))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_router_is_told_who_asks_and_in_which_thread(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    with Orq(api_key=KEY, server_url=proxy.url) as client:
        orq = {"identity": {"id": "ada", "display_name": "Ada"}, "thread": {"id": "thread-1", "tags": ["blue"]}}
        with client.router.chat.completions.create(
            model="openai/gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True, orq=orq,
            http_headers={"X-Play": "chat_of_a_router"},
        ) as events:
            assert list(events)
    [call] = tapedeck.wait_for(lambda: (c := tapedeck.calls()) and c[0]["state"] == "done" and c)
    assert (call["identity_id"], call["thread_id"], call["thread_tags"]) == ("ada", "thread-1", ["blue"])
    assert [row["call_id"] for row in tapedeck.calls("--thread", "thread-1", "--identity", "ada", "--tag", "blue")] == [call["call_id"]]


def test_a_path_prefix_of_the_upstream_is_kept(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url + "/gateway/")
    stream_sync(proxy.url)
    assert upstream.requests[0]["path"] == "/gateway/v2/deployments/stream"


def test_an_sdk_that_aborts_leaves_a_client_abort_with_at_least_the_bytes_that_it_got(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    got = []
    with Orq(api_key=KEY, server_url=proxy.url) as client:
        with client.deployments.stream(**{**ARGUMENTS, "key": "forever"}) as events:
            for event in events:
                got.append(event.data.choices[0].message.content)
                if len(got) == 25:
                    break
    shown = tapedeck.wait_for(
        lambda: (calls := tapedeck.calls("--state", "client_abort")) and tapedeck.show(calls[0]["call_id"])
    )
    assert shown["choices"][0]["content"].startswith("".join(got))
    assert shown["complete"] is False and shown["defects"]
    assert tapedeck.wait_for(lambda: upstream.aborted) == 1
