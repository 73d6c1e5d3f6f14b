"""The providers' own client libraries, through the guard's proxy process: nobody here wrote them.

Each reads an approved call as the model made it, never sees a refused one, and gets the guard's
words where the model insists. Whole answers and streams.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from provider import Provider, Turn, kept_port, provider

from offswitch.guard.policy.policy import Pattern, RoutePolicy, Rule
from offswitch.guard.proxy.link import ProxyLink
from offswitch.guard.proxy.settings import ProxySettings

pytestmark = pytest.mark.slow

KEY = "the-key-that-the-guard-holds"
RULES = (
    Rule(name="read", verdict="approve", pattern=Pattern(tool=("read_*",))),
    Rule(name="cap", verdict="modify", pattern=Pattern(tool=("spend",)), set=(("amount", 1),)),
)
READ = ("read_file", {"path": "/work/a note.md", "lines": [1, 2]})
SHELL = ("shell", {"command": "rm -rf /"})
Answer = tuple[str, list[tuple[str, Any]]]
"""Text, and (tool, arguments) of every call, as the client read them."""


class Book:
    """A ledger that keeps what it is given."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str]] = []

    def append(self, kind: str, body: dict[str, Any], **_: str) -> int:
        if kind == "act":
            self.acts.append((body["act"]["tool"], body["word"]))
        return 0

    def happened(self, event: object) -> int:
        return 0


class Way:
    """A provider, the proxy before it, and the ledger."""

    def __init__(self, model: Provider, port: int, book: Book) -> None:
        self.model, self.book = model, book
        here = f"http://127.0.0.1:{port}"
        import anthropic  # here: every run of other tests would wait seconds for it
        import openai

        self.openai = openai.OpenAI(base_url=f"{here}/openai/v1", api_key="none", max_retries=0)
        self.anthropic = anthropic.Anthropic(
            base_url=f"{here}/anthropic", api_key="none", max_retries=0
        )


@pytest.fixture(scope="module")
def opened_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    book = Book()
    with pytest.MonkeyPatch.context() as patch, kept_port() as port, provider() as model:
        patch.setenv("REAL_KEY", KEY)
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        routes = tuple(
            RoutePolicy(name=kind, kind=kind, upstream=model.url, key_variable="REAL_KEY")
            for kind in ("openai", "anthropic")
        )
        settings = ProxySettings(rules=RULES, models=routes, port=port, again=1)
        link = ProxyLink(settings, lambda: book, tmp_path_factory.mktemp("proxy") / "log")
        way = Way(model, port, book)
        yield way
        way.openai.close()
        way.anthropic.close()
        link.close()


@pytest.fixture
def way(opened_way: Way) -> Way:
    opened_way.book.acts.clear()
    return opened_way


def chat(way: Way) -> Answer:
    done = way.openai.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "go"}], tools=[_chat_tool("read_file")]
    )
    return _chat_answer(done.choices[0])


def chat_streamed(way: Way) -> Answer:
    with way.openai.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": "go"}],
        stream_options={"include_usage": True},
    ) as stream:
        stream.until_done()
        done = stream.get_final_completion()
    assert done.usage is None or done.usage.total_tokens == 11
    return _chat_answer(done.choices[0])


def _chat_answer(choice: Any) -> Answer:
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == ("tool_calls" if calls else "stop")
    read = [(one.function.name, json.loads(one.function.arguments)) for one in calls]
    return choice.message.content or "", read


def _chat_tool(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def responses(way: Way) -> Answer:
    return _response_answer(way.openai.responses.create(model="m", input="go"))


def responses_streamed(way: Way) -> Answer:
    with way.openai.responses.stream(model="m", input="go") as stream:
        stream.until_done()
        return _response_answer(stream.get_final_response())


def _response_answer(done: Any) -> Answer:
    assert done.status == "completed"
    calls = [one for one in done.output if one.type == "function_call"]
    return done.output_text, [(one.name, json.loads(one.arguments)) for one in calls]


def messages(way: Way) -> Answer:
    done = way.anthropic.messages.create(
        model="m", max_tokens=100, messages=[{"role": "user", "content": "go"}]
    )
    return _message_answer(done)


def messages_streamed(way: Way) -> Answer:
    with way.anthropic.messages.stream(
        model="m", max_tokens=100, messages=[{"role": "user", "content": "go"}]
    ) as stream:
        stream.until_done()
        return _message_answer(stream.get_final_message())


def _message_answer(done: Any) -> Answer:
    calls = [one for one in done.content if one.type == "tool_use"]
    assert done.stop_reason == ("tool_use" if calls else "end_turn")
    text = "".join(one.text for one in done.content if one.type == "text")
    return text, [(one.name, one.input) for one in calls]


CLIENTS = (chat, chat_streamed, responses, responses_streamed, messages, messages_streamed)
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.__name__)
Client = Callable[[Way], Answer]


@each_client
def test_an_allowed_call_reaches_the_client_as_the_model_made_it(way: Way, client: Client) -> None:
    way.model.plays(Turn("I look at the note first.", (READ, READ)))
    assert client(way) == ("I look at the note first.", [READ, READ])
    assert way.book.acts == [("read_file", "approve")] * 2
    assert KEY in way.model.asked[0].key


@each_client
def test_a_refused_call_is_put_back_to_the_model_and_the_client_sees_the_other_answer(
    way: Way, client: Client
) -> None:
    way.model.plays(Turn("First I clean up.", (SHELL,)), Turn("Then I only read.", (READ,)))
    text, calls = client(way)
    assert calls == [READ]
    assert text.endswith("Then I only read.")
    assert way.book.acts == [("shell", "reject"), ("read_file", "approve")]
    told = json.dumps(way.model.asked[1].body)
    assert "refused" in told and "rm -rf" in told  # the model is shown its own call again


@each_client
def test_a_model_that_insists_gets_the_client_a_refusal_in_words_and_no_call(
    way: Way, client: Client
) -> None:
    way.model.plays(Turn("", (SHELL,)), Turn("", (SHELL,)))
    text, calls = client(way)
    assert calls == []
    assert "refused and not run" in text
    assert way.book.acts == [("shell", "reject")] * 2


@each_client
def test_of_two_calls_only_the_allowed_one_reaches_the_client(way: Way, client: Client) -> None:
    way.model.plays(Turn("Both.", (READ, SHELL)))
    text, calls = client(way)
    assert calls == [READ]
    assert text.startswith("Both.")
    assert way.book.acts == [("read_file", "approve"), ("shell", "reject")]


@each_client
def test_a_modified_call_reaches_the_client_modified(way: Way, client: Client) -> None:
    way.model.plays(Turn("", (("spend", {"amount": 1000, "on": "disks"}),)))
    assert client(way) == ("", [("spend", {"amount": 1, "on": "disks"})])


@each_client
def test_plain_text_passes_unchanged(way: Way, client: Client) -> None:
    way.model.plays(Turn("Nothing to do here, \u00fcber and out."))
    assert client(way) == ("Nothing to do here, \u00fcber and out.", [])
    assert way.book.acts == []
