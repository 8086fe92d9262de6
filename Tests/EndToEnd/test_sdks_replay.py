"""The official SDKs against the replay server: what they made of the upstream, and of the proxy in front of it, they make of
the recording, to the error that they raise."""

import asyncio
import json

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from conftest import KEY

TIDE = [{"name": "get_tide", "description": "When the tide turns", "input_schema": {"type": "object"}}]


def anthropic_call(url, text, headers, is_async):
    kind = anthropic.AsyncAnthropic if is_async else anthropic.Anthropic
    return kind(api_key=KEY, base_url=url, max_retries=0).messages.create(
        model="claude-sonnet-5", max_tokens=100, messages=[{"role": "user", "content": text}], tools=TIDE, stream=True,
        extra_headers=headers)


def openai_client(url, is_async):
    kind = openai.AsyncOpenAI if is_async else openai.OpenAI
    return kind(api_key=KEY, base_url=url + "/v1", max_retries=0)


def responses_call(url, text, headers, is_async):
    return openai_client(url, is_async).responses.create(model="gpt-4.1", input=text, stream=True, extra_headers=headers)


def chat_call(url, text, headers, is_async):
    return openai_client(url, is_async).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], stream=True,
        stream_options={"include_usage": True}, extra_headers=headers)


# A client that nobody holds closes its streams.
HELD = []


def gemini_call(url, text, headers, is_async):
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
    HELD.append(client)
    config = types.GenerateContentConfig(http_options=types.HttpOptions(headers=headers))
    models = client.aio.models if is_async else client.models
    return models.generate_content_stream(model="gemini-2.5-flash", contents=text, config=config)


CALLS = {"anthropic": anthropic_call, "responses": responses_call, "chat": chat_call, "gemini": gemini_call}
PLAYS = {
    "anthropic": ["anthropic_text", "anthropic_tool_use", "anthropic_tools_side_by_side", "anthropic_thinking",
                  "anthropic_web_search", "anthropic_citations_and_pings", "anthropic_error_in_the_middle", "anthropic_cut"],
    "responses": ["responses_text", "responses_function_call", "responses_calls_side_by_side", "responses_reasoning",
                  "responses_refusal", "responses_incomplete", "responses_failed", "responses_cut"],
    "chat": ["chat_text", "chat_tool_calls_and_refusal", "chat_choices_and_calls_side_by_side", "chat_function_call_of_old",
             "chat_error_in_the_middle"],
    "gemini": ["gemini_text", "gemini_function_calls", "gemini_thoughts", "gemini_candidates", "gemini_grounded",
               "gemini_prompt_blocked", "gemini_cut"],
}


def plain(event):
    """What the SDK gives, but for the response's own headers."""
    event = event.model_dump(mode="json")
    event.pop("sdk_http_response", None)
    return event


def heard(sdk, url, text, is_async, headers=(), most=None):
    """All that a client hears, and what it raises in the end."""
    call, headers, events = CALLS[sdk], dict(headers), []
    error = None

    def take(event):
        events.append(plain(event))
        return most is not None and len(events) >= most

    def run():
        stream = call(url, text, headers, False)
        for event in stream:
            if take(event):
                return stream.close()

    async def run_async():
        stream = await call(url, text, headers, True)
        async for event in stream:
            if take(event):
                return await (stream.aclose() if hasattr(stream, "aclose") else stream.close())

    try:
        asyncio.run(run_async()) if is_async else run()
    except Exception as raised:
        status = getattr(raised, "status_code", None) or getattr(raised, "code", None)
        error = (type(raised).__name__, status, getattr(raised, "message", None))
    return events, error


def ended(tapedeck, count):
    return tapedeck.wait_for(
        lambda: len(calls := tapedeck.calls()) == count and all(call["state"] != "open" for call in calls) and calls)


@pytest.mark.parametrize("sdk", CALLS)
def test_the_recording_is_heard_as_the_upstream_was(tapedeck, upstream, sdk):
    proxy = tapedeck.serve(upstream.url)
    direct = {}
    for play in PLAYS[sdk]:
        headers = {"X-Play": play}
        direct[play] = heard(sdk, upstream.url, play, False, headers)
        assert direct[play][0] or direct[play][1]
        assert heard(sdk, proxy.url, play, False, headers) == direct[play]
        assert heard(sdk, proxy.url, play, True, headers) == direct[play]
    assert any(error for _, error in direct.values())
    ended(tapedeck, 2 * len(direct))
    tapedeck.stop(proxy)
    sent = len(upstream.requests)
    server = tapedeck.replay_server("--pace", "instant")
    for play in PLAYS[sdk]:
        for is_async in (False, True):
            assert heard(sdk, server.url, play, is_async) == direct[play], play
    assert len(upstream.requests) == sent
    _, error = heard(sdk, server.url, "Nobody asked this", False)
    assert error[1] == 404


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
@pytest.mark.parametrize("sdk", CALLS)
def test_a_refusal_is_raised_as_what_it_was(tapedeck, upstream, sdk, status):
    proxy = tapedeck.serve(upstream.url)
    headers = {"X-Fail": str(status)}
    direct = heard(sdk, upstream.url, "x", False, headers)
    events, error = direct
    assert not events and error[1] == status
    upstream.requests.clear()
    assert heard(sdk, proxy.url, "x", False, headers) == direct
    assert heard(sdk, proxy.url, "x", True, headers) == direct
    # Nobody asks again behind the client's back.
    assert len(upstream.requests) == 2
    for call in ended(tapedeck, 2):
        assert (call["state"], call["http_status"]) == ("upstream_error", status)
        assert "harbour is closed" in call["error"]["message"] and call["usage"] is None and call["cost"] is None
    tapedeck.stop(proxy)
    server = tapedeck.replay_server()
    assert heard(sdk, server.url, "x", False) == direct
    assert heard(sdk, server.url, "x", True) == direct


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("sdk", CALLS)
def test_a_client_that_leaves_in_the_middle(tapedeck, upstream, sdk, is_async):
    proxy = tapedeck.serve(upstream.url)
    play = {"anthropic": "anthropic_text", "responses": "responses_text", "chat": "chat_choices_and_calls_side_by_side",
            "gemini": "gemini_text"}[sdk]
    most = 2 if sdk == "gemini" else 4
    whole, _ = heard(sdk, upstream.url, "x", False, {"X-Play": play})
    # The last frame comes too late.
    events, error = heard(sdk, proxy.url, "x", is_async, {"X-Play": play, "X-Gap": "0.2"}, most)
    assert events == whole[:most] and error is None
    [call] = ended(tapedeck, 1)
    assert call["state"] == "client_abort" and not call["complete"]
    assert tapedeck.wait_for(lambda: upstream.aborted) == 1
    on_tape = tapedeck.run("cat", call["call_id"], text=False)
    tapedeck.stop(proxy)
    server = tapedeck.replay_server("--pace", "instant")
    again, error = heard(sdk, server.url, "x", is_async)
    assert again[:most] == events and again == whole[:len(again)] and len(again) < len(whole), error
    # What came behind the client's last look is on tape as far as it came.
    assert on_tape.count(b"data:") >= len(again)
