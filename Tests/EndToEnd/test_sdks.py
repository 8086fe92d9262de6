"""The official SDKs of OpenAI, Anthropic and Google stream through the proxy from a local upstream that speaks their
dialects: what they put together is what `show` rebuilds."""

import asyncio
import json
import urllib.request
from decimal import Decimal

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from conftest import KEY

MESSAGES = [{"role": "user", "content": "When does the tide turn?"}]
TIDE = [{"name": "get_tide", "description": "When the tide turns", "input_schema": {"type": "object"}}]
TAPEDECK = {"X-Tapedeck-Thread": "harbour-1"}


def anthropic_at(url):
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)


def openai_at(url):
    return openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0)


def google_at(url):
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))


def shown(tapedeck, state="done", count=1):
    """The last call, once it has ended."""
    calls = tapedeck.wait_for(lambda: (c := tapedeck.calls()) and len(c) == count and c[0]["state"] != "open" and c)
    call = tapedeck.show(calls[0]["call_id"])
    assert call["state"] == state, call
    return call


def expect_no_tapedeck_headers(upstream):
    assert upstream.requests
    for request in upstream.requests:
        assert not [name for name, _ in request["headers"] if name.lower().startswith("x-tapedeck")]


@pytest.mark.parametrize("path, play, body, api", [
    ("/v2/deployments/stream", None, {"key": "text", "stream": True}, {"identity": {"id": "x"}, "thread": {"id": "y"}}),
    ("/v1/chat/completions", "chat_text", {"model": "m", "stream": True}, {"user": "x", "metadata": {"thread_id": "y"}}),
    ("/v1/responses", "responses_text", {"model": "m", "stream": True}, {"safety_identifier": "x", "conversation": {"id": "y"}}),
    ("/v3/router/responses", "responses_of_a_router", {"model": "m", "stream": True}, {"user": "x", "conversation": "y"}),
    ("/v1/messages", "anthropic_text", {"model": "m", "stream": True}, {"metadata": {"user_id": "x", "session_id": "y"}}),
    ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini_text", {"contents": []}, None),
    ("/api/generate", "unknown_text", {"q": 1}, {"user": "x", "metadata": {"conversation_id": "y"}}),
])
def test_who_asked_and_where_is_said_by_headers_or_by_the_api(tapedeck, upstream, path, play, body, api):
    proxy = tapedeck.serve(upstream.url)

    def ask(body, headers):
        headers = {"Content-Type": "application/json", **({"X-Play": play} if play else {}), **headers}
        answer = urllib.request.urlopen(urllib.request.Request(proxy.url + path, json.dumps(body).encode(), headers), timeout=20)
        assert answer.read()
        call = tapedeck.wait_for(lambda: (c := tapedeck.show(answer.headers["X-Tapedeck-Call"]))["state"] == "done" and c)
        # `show` reads what is on tape by now; the list is the catalogue's, which follows.
        listed = tapedeck.wait_for(lambda: next((c for c in tapedeck.calls() if c["call_id"] == call["call_id"] and c["state"] == "done"), None))
        assert (listed["identity_id"], listed["thread_id"]) == (call["identity_id"], call["thread_id"])
        return call["identity_id"], call["thread_id"]

    ours = {"x-tapedeck-identity": "ada", "X-TAPEDECK-THREAD": "harbour"}
    assert ask(body, {}) == (None, None)
    assert ask(body, ours) == ("ada", "harbour")
    if api:
        assert ask({**body, **api}, {}) == ("x", "y")
        # orq's are the request's own words; what others have for it is less than what is said to tapedeck.
        assert ask({**body, **api}, ours) == (("x", "y") if "deployments" in path else ("ada", "harbour"))
    expect_no_tapedeck_headers(upstream)


# Anthropic


def expect_message(call, message):
    """`message` is what the SDK put together."""
    [choice] = call["choices"]
    blocks = message.content
    assert call["response_id"] == message.id and call["model"] == message.model and call["provider"] == "anthropic"
    assert choice["role"] == message.role and choice["finish_reason"] == message.stop_reason
    assert (choice["content"] or "") == "".join(b.text for b in blocks if b.type == "text")
    assert (choice["reasoning"] or "") == "".join(b.thinking for b in blocks if b.type == "thinking")
    assert (choice["reasoning_signature"] or "") == "".join(b.signature for b in blocks if b.type == "thinking")
    assert (choice["redacted_reasoning"] or "") == "".join(b.data for b in blocks if b.type == "redacted_thinking")
    tools = [b for b in blocks if b.type == "tool_use"]
    assert [(t["id"], t["name"], json.loads(t["arguments"])) for t in choice["tool_calls"]] == [
        (t.id, t.name, t.input) for t in tools]
    usage, sdk = call["usage"], message.usage
    cached = sdk.cache_read_input_tokens
    assert usage["prompt_tokens"] == sdk.input_tokens + (sdk.cache_creation_input_tokens or 0) + (cached or 0)
    assert usage["completion_tokens"] == sdk.output_tokens and usage["cached_tokens"] == cached
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    for number, block in enumerate(blocks):
        if block.type == "server_tool_use":
            assert call["extra"]["content"][str(number)]["input"] == block.input
        if block.type == "text" and block.citations:
            assert len(call["extra"]["content"][str(number)]["citations"]) == len(block.citations)


@pytest.mark.parametrize("play", [
    "anthropic_text", "anthropic_tool_use", "anthropic_thinking", "anthropic_redacted_and_omitted_thinking",
    "anthropic_cached_usage", "anthropic_web_search", "anthropic_empty_blocks_and_a_tool_without_input",
    "anthropic_tools_side_by_side", "anthropic_stop_sequence", "anthropic_input_split_in_an_escape",
    "anthropic_usage_is_cumulative", "anthropic_refusal",
])
def test_anthropic_message_is_what_the_sdk_put_together(tapedeck, upstream, play):
    proxy = tapedeck.serve(upstream.url)

    def message(url):
        with anthropic_at(url).messages.stream(
            model="claude-sonnet-5", max_tokens=100, messages=MESSAGES, tools=TIDE, metadata={"user_id": "ada"},
            extra_headers={"X-Play": play, **TAPEDECK},
        ) as stream:
            return stream.get_final_message()

    direct = message(upstream.url)
    upstream.requests.clear()
    assert message(proxy.url) == direct
    call = shown(tapedeck)
    expect_message(call, direct)
    expect_no_tapedeck_headers(upstream)
    assert call["identity_id"] == "ada" and call["thread_id"] == "harbour-1"
    assert call["request"]["model"] == "claude-sonnet-5"


def test_anthropic_cost_is_of_the_whole_prompt(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    with anthropic_at(proxy.url).messages.stream(
        model="claude-sonnet-5", max_tokens=100, messages=MESSAGES, extra_headers={"X-Play": "anthropic_cached_usage"},
    ) as stream:
        stream.get_final_message()
    cost = shown(tapedeck)["cost"]
    # 1,821 at 3, 100,000 read from the cache at 0.30, 503 at 15 dollars a million.
    assert cost["price_model"].startswith("anthropic/")
    assert Decimal(cost["input_usd"]) == Decimal("0.005463")
    assert Decimal(cost["cached_usd"]) == Decimal("0.03")
    assert Decimal(cost["output_usd"]) == Decimal("0.007545")
    # That they are in the cost, as input, all say; how many they were is not in the catalogue.
    [note] = [note for note in tapedeck.calls()[0]["cost"]["notes"] if "cache" in note]
    assert "priced as input" in note and not any("not in this cost" in n and "cache" in n for n in cost["notes"])
    assert [n for n in cost["notes"] if "1,800" not in n] == tapedeck.calls()[0]["cost"]["notes"]
    assert any("1,800" in note and "cache" in note for note in cost["notes"])


def test_anthropic_error_in_the_middle_is_the_sdks_and_is_on_tape(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    with pytest.raises(anthropic.APIStatusError):
        with anthropic_at(proxy.url).messages.stream(
            model="claude-sonnet-5", max_tokens=100, messages=MESSAGES,
            extra_headers={"X-Play": "anthropic_error_in_the_middle"},
        ) as stream:
            stream.get_final_message()
    call = shown(tapedeck, "upstream_error")
    assert call["error"] == {"message": "Overloaded", "code": "overloaded_error", "source": None, "frame": 3}
    assert call["choices"][0]["content"] == "Half a" and call["cost"] is None


def test_anthropic_thread_has_what_is_new_in_each_call(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = anthropic_at(proxy.url)
    messages = list(MESSAGES)

    def turn(play):
        with client.messages.stream(
            model="claude-sonnet-5", max_tokens=100, system="Be brief.", messages=messages, tools=TIDE,
            extra_headers={"X-Play": play, **TAPEDECK},
        ) as stream:
            return stream.get_final_message()

    for play in ["anthropic_thinking", "anthropic_tool_use", "anthropic_web_search", "anthropic_text"]:
        message = turn(play)
        messages.append({"role": "assistant", "content": message.content})
        tools = [b for b in message.content if b.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": t.id, "content": "04:12"} for t in tools]
        messages.append({"role": "user", "content": results or "And then?"})
    tapedeck.wait_for(lambda: len(c := tapedeck.calls()) == 4 and all(x["state"] == "done" for x in c))
    calls = tapedeck.json("thread", "harbour-1")
    assert [len(call["messages"]) for call in calls] == [2, 1, 1, 1]
    assert [call["changes"] for call in calls] == [[], [], [], []]
    assert [call["messages"][-1]["content"] for call in calls] == [
        "When does the tide turn?", "And then?", "04:12", "And then?"]
    assert tapedeck.calls("--text", "tide turn")


# OpenAI


def expect_usage(call, sdk):
    usage = call["usage"]
    assert usage["prompt_tokens"] == sdk.input_tokens and usage["completion_tokens"] == sdk.output_tokens
    assert usage["total_tokens"] == sdk.total_tokens
    assert usage["cached_tokens"] == sdk.input_tokens_details.cached_tokens
    assert usage["reasoning_tokens"] == sdk.output_tokens_details.reasoning_tokens


def expect_response(call, response):
    [choice] = call["choices"]
    assert call["response_id"] == response.id and call["model"] == response.model and call["provider"] == "openai"
    assert (choice["content"] or "") == response.output_text
    reasoning = [item for item in response.output if item.type == "reasoning"]
    texts = [part.text for item in reasoning for part in [*item.summary, *(item.content or [])]]
    assert (choice["reasoning"] or "") == "".join(texts)
    assert (choice["redacted_reasoning"] or "") == "".join(item.encrypted_content or "" for item in reasoning)
    functions = [item for item in response.output if item.type == "function_call"]
    customs = [item for item in response.output if item.type == "custom_tool_call"]
    assert [(t["id"], t["name"], t["arguments"]) for t in choice["tool_calls"]] == [
        (f.call_id, f.name, f.arguments) for f in functions] + [(c.call_id, c.name, c.input) for c in customs]
    expect_usage(call, response.usage)


@pytest.mark.parametrize("play", [
    "responses_text", "responses_function_call", "responses_reasoning", "responses_web_search",
    "responses_without_pieces",
])
def test_a_response_is_what_the_sdk_put_together(tapedeck, upstream, play):
    proxy = tapedeck.serve(upstream.url)

    def response(url):
        with openai_at(url).responses.stream(
            model="gpt-4.1", input="When does the tide turn?", safety_identifier="ada", metadata={"session_id": "harbour-1"},
            extra_headers={"X-Play": play},
        ) as stream:
            return stream.get_final_response()

    direct = response(upstream.url)
    assert response(proxy.url).to_dict() == direct.to_dict()
    call = shown(tapedeck)
    expect_response(call, direct)
    assert call["identity_id"] == "ada" and call["thread_id"] == "harbour-1"
    assert call["cost"]["price_model"].startswith("openai/gpt-4.1") and Decimal(call["cost"]["total_usd"]) > 0


def test_events_of_a_response_are_the_same_directly_and_through_the_proxy(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)

    async def events(url):
        client = openai.AsyncOpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0)
        stream = await client.responses.create(
            model="gpt-4.1", input="x", stream=True, user="eve",
            extra_headers={"X-Play": "responses_custom_tool", "X-Tapedeck-Identity": "ada", **TAPEDECK})
        return [event.to_dict() async for event in stream]

    direct = asyncio.run(events(upstream.url))
    upstream.requests.clear()
    assert len(direct) > 5 and asyncio.run(events(proxy.url)) == direct
    call = shown(tapedeck)
    [tool] = call["choices"][0]["tool_calls"]
    assert tool == {"index": 0, "id": "call_c", "name": "shell", "arguments": 'ls "a"', "type": "custom_tool_call"}
    # What is said to tapedeck goes before what is said to the API.
    assert call["identity_id"] == "ada" and call["thread_id"] == "harbour-1"
    expect_no_tapedeck_headers(upstream)


def test_a_response_that_fails(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    stream = openai_at(proxy.url).responses.create(
        model="gpt-4.1", input="x", stream=True, extra_headers={"X-Play": "responses_failed"})
    assert [event.type for event in stream][-1] == "response.failed"
    assert shown(tapedeck, "upstream_error")["error"]["code"] == "server_error"


def test_a_thread_of_responses_has_what_is_new(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = openai_at(proxy.url)
    items = list(MESSAGES)
    for play in ["responses_reasoning", "responses_function_call", "responses_web_search", "responses_text"]:
        with client.responses.stream(
            model="gpt-4.1", input=items, conversation="conv_1", extra_headers={"X-Play": play}
        ) as stream:
            response = stream.get_final_response()
        items += [item.to_dict() for item in response.output]
        calls = [item for item in response.output if item.type == "function_call"]
        items += [{"type": "function_call_output", "call_id": c.call_id, "output": "04:12"} for c in calls]
        if not calls:
            items.append({"role": "user", "content": "And then?"})
    tapedeck.wait_for(lambda: len(c := tapedeck.calls()) == 4 and all(x["state"] == "done" for x in c))
    calls = tapedeck.json("thread", "conv_1")
    assert [call["changes"] for call in calls] == [[], [], [], []]
    assert [[m["content"] for m in call["messages"]] for call in calls] == [
        ["When does the tide turn?"], ["And then?"], ["04:12"], ["And then?"]]


def test_responses_that_go_on_from_one_another_are_a_thread(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = openai_at(proxy.url)

    def turn(response, previous=None, **more):
        stream = client.responses.create(
            model="gpt-4.1", input=f"What of {response}?", instructions="Be brief.", stream=True,
            previous_response_id=previous,
            extra_headers={"X-Play": "responses_text", "X-Response": response}, **more)
        assert [event.type for event in stream][-1] == "response.completed"

    turn("resp_alone")
    for response, previous in [("resp_1", None), ("resp_2", "resp_1"), ("resp_3", "resp_2"), ("resp_4", "resp_2")]:
        turn(response, previous)
    turn("resp_5", "resp_unknown")
    turn("resp_6", "resp_1", conversation="conv_1")
    wanted = {"resp_alone": None, "resp_1": "resp_1", "resp_2": "resp_1", "resp_3": "resp_1", "resp_4": "resp_1",
              "resp_5": "resp_unknown", "resp_6": "conv_1"}

    def check():
        calls = tapedeck.calls()
        assert {call["response_id"]: call["thread_id"] for call in calls} == wanted
        assert {r: tapedeck.show(r)["thread_id"] for r in wanted} == wanted
        rows = tapedeck.json("thread", "resp_1")
        assert [row["history"] for row in rows] == ["first", "not_resent", "not_resent", "branch"]
        # What the API knows is not sent again: each question is new, the instructions are not.
        assert [[m["content"] for m in row["messages"]] for row in rows] == [
            ["Be brief.", "What of resp_1?"], ["What of resp_2?"], ["What of resp_3?"], ["What of resp_4?"]]
        assert rows[3]["since"] == rows[1]["call_id"]
        sums = {row["group"]["thread"]: row["calls"] for row in tapedeck.json("usage", "--by", "thread")}
        assert sums["resp_1"] == 4 and sums["resp_unknown"] == 1 and sums["conv_1"] == 1

    tapedeck.wait_for(lambda: len(c := tapedeck.calls()) == 7 and all(x["state"] == "done" for x in c))
    check()
    tapedeck.stop(proxy)
    tapedeck.run("index", "--rebuild")
    check()
    # Nobody goes on from it any more, and the rest begins where it is left.
    second = tapedeck.show("resp_2")["call_id"]
    tapedeck.run("erase", "--call", second, "--yes")
    wanted = {**wanted, "resp_1": None, "resp_3": "resp_2", "resp_4": "resp_2"}
    del wanted["resp_2"]
    threads = lambda: {call["response_id"]: call["thread_id"] for call in tapedeck.calls()}
    assert threads() == wanted
    tapedeck.run("index", "--rebuild")
    assert threads() == wanted


def test_chat_completions(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    with openai_at(proxy.url).chat.completions.stream(
        model="gpt-4o-mini", messages=MESSAGES, user="ada", stream_options={"include_usage": True},
        extra_headers={"X-Play": "chat_text", **TAPEDECK},
    ) as stream:
        completion = stream.get_final_completion()
    call = shown(tapedeck)
    [choice], [sdk] = call["choices"], completion.choices
    assert choice["content"] == sdk.message.content == "Good tide"
    assert choice["finish_reason"] == sdk.finish_reason and call["response_id"] == completion.id
    assert call["usage"]["total_tokens"] == completion.usage.total_tokens
    assert call["usage"]["cached_tokens"] == completion.usage.prompt_tokens_details.cached_tokens
    assert call["identity_id"] == "ada" and call["thread_id"] == "harbour-1"


def test_completions_of_old(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    stream = openai_at(proxy.url).completions.create(
        model="gpt-3.5-turbo-instruct", prompt="Tell", stream=True, extra_headers={"X-Play": "completions_of_old"})
    text = "".join(chunk.choices[0].text for chunk in stream)
    call = shown(tapedeck)
    assert call["choices"][0]["content"] == text == "\n\nOnce upon"


# Google


@pytest.mark.parametrize("play", [
    "gemini_text", "gemini_thoughts", "gemini_function_calls", "gemini_cached_and_tools", "gemini_image",
])
def test_gemini_is_what_the_sdks_chunks_say(tapedeck, upstream, play):
    proxy = tapedeck.serve(upstream.url)
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        http_options=types.HttpOptions(headers={"X-Play": play, "X-Tapedeck-Identity": "ada", **TAPEDECK}))
    client = google_at(proxy.url)
    chunks = list(client.models.generate_content_stream(
        model="gemini-2.5-flash", contents="When does the tide turn?", config=config))
    call = shown(tapedeck)
    [choice] = call["choices"]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    assert (choice["content"] or "") == "".join(p.text for p in parts if p.text and not p.thought)
    assert (choice["reasoning"] or "") == "".join(p.text for p in parts if p.text and p.thought)
    calls = [p.function_call for p in parts if p.function_call]
    assert [(t["id"], t["name"], json.loads(t["arguments"] or "{}")) for t in choice["tool_calls"]] == [
        (c.id, c.name, c.args or {}) for c in calls]
    assert len(choice["image_urls"]) == len([p for p in parts if p.inline_data])
    last = chunks[-1]
    assert choice["finish_reason"] == last.candidates[0].finish_reason.value
    assert call["response_id"] == last.response_id and call["model"] == last.model_version
    usage, sdk = call["usage"], last.usage_metadata
    assert usage["prompt_tokens"] == sdk.prompt_token_count + (sdk.tool_use_prompt_token_count or 0)
    assert usage["completion_tokens"] == sdk.candidates_token_count + (sdk.thoughts_token_count or 0)
    assert usage["total_tokens"] == sdk.total_token_count and usage["cached_tokens"] == sdk.cached_content_token_count
    assert call["identity_id"] == "ada" and call["thread_id"] == "harbour-1"
    assert call["cost"]["price_model"] == "google/gemini-2.5-flash"
    assert tapedeck.calls("--text", "tide turn")
    expect_no_tapedeck_headers(upstream)
    # The key is in a header, and stays off the tape.
    assert KEY not in json.dumps(call)


def test_a_chat_with_gemini_has_what_is_new(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = google_at(proxy.url)
    chat = client.chats.create(model="gemini-2.5-flash")
    for play in ["gemini_text", "gemini_thoughts", "gemini_text"]:
        config = types.GenerateContentConfig(http_options=types.HttpOptions(headers={"X-Play": play, **TAPEDECK}))
        list(chat.send_message_stream("And then?", config=config))
    tapedeck.wait_for(lambda: len(c := tapedeck.calls()) == 3 and all(x["state"] == "done" for x in c))
    calls = tapedeck.json("thread", "harbour-1")
    assert [call["changes"] for call in calls] == [[], [], []]
    assert [[m["content"] for m in call["messages"]] for call in calls] == [["And then?"]] * 3
