"""Sampling on this machine: one reply a request, the same numbers whatever runs beside them."""

from pathlib import Path

import pytest
import torch

from orcamath.backends.transformers_local import LocalChat, LocalOptions, open_chat
from orcamath.errors import ModelError, RecipeError
from orcamath.ports import Message, Reply, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.student.draws import draw_tokens
from orcamath.student.encode import Encoder
from orcamath.student.folder import ModelFolder
from orcamath.student.sampling import Asked, sample_chunk
from tiny_student import tiny_folder, tiny_model

QUESTIONS = [f"Tom has {i} apples and gives {i % 3} ." for i in range(9)] + ["how many ?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_folder(tmp_path_factory.mktemp("student") / "model")


def requests(folder: ModelFolder, sampling: Sampling, draws: int = 4) -> list[Request]:
    encoder = Encoder.of(folder)
    return [encoder.pose(q, sampling, d) for q in QUESTIONS for d in range(draws)]


def answers(chat: LocalChat, asked: list[Request]) -> dict[bytes, tuple]:
    return {r.key: (r.text, r.token_ids, r.finish_reason) for r in chat(asked)}


def in_order(chat: LocalChat, asked: list[Request]) -> list[Reply]:
    """Return the replies as they were asked for: they come as they end."""
    replies: dict[bytes, list[Reply]] = {}
    for reply in chat(asked):
        replies.setdefault(reply.key, []).append(reply)
    return [replies[q.key(chat.fingerprint)].pop() for q in asked]


WARM = Sampling(1.0, 0.95, 24)


def test_one_reply_a_request_with_its_key_ids_and_reason(folder: ModelFolder) -> None:
    asked = requests(folder, WARM)
    replies = in_order(LocalChat(folder), asked)
    assert [r.key for r in replies] == [q.key(folder.fingerprint) for q in asked]
    eos = Encoder.of(folder).eos_id
    for request, reply in zip(asked, replies, strict=True):
        assert reply.error is None
        assert reply.token_ids is not None
        ended = reply.token_ids[-1] == eos
        assert reply.finish_reason == ("stop" if ended else "length")
        assert eos not in reply.token_ids[:-1]
        assert ended or len(reply.token_ids) == 24
        assert reply.usage.prompt_tokens == len(request.token_ids or ())
        assert reply.usage.completion_tokens == len(reply.token_ids)
    assert {r.finish_reason for r in replies} == {"stop", "length"}


def test_a_reply_comes_as_soon_as_it_ends_not_with_its_chunk(folder: ModelFolder) -> None:
    encoder = Encoder.of(folder)
    long, short = (encoder.pose(QUESTIONS[0], Sampling(1.0, 0.95, n), n) for n in (200, 1))
    first = next(LocalChat(folder, LocalOptions(chunk=2))([long, short]))
    assert first.key == short.key(folder.fingerprint)


def test_greedy_is_what_transformers_generates(folder: ModelFolder) -> None:
    asked = requests(folder, Sampling(max_tokens=24), draws=1)
    model = tiny_model()
    replies = in_order(LocalChat(folder, LocalOptions(rows=4)), asked)
    for request, reply in zip(asked, replies, strict=True):
        prompt = torch.tensor([request.token_ids])
        expected = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)[0]
        assert tuple(expected[prompt.shape[1] :].tolist()) == reply.token_ids


def test_neither_rows_nor_order_nor_neighbours_change_a_sample(folder: ModelFolder) -> None:
    asked = requests(folder, WARM)
    first = answers(LocalChat(folder, LocalOptions(rows=64)), asked)
    assert answers(LocalChat(folder, LocalOptions(rows=3)), asked) == first
    assert answers(LocalChat(folder, LocalOptions(chunk=8)), asked[::-1]) == first
    alone = answers(LocalChat(folder), [asked[5]])
    assert alone.items() <= first.items()
    assert len({v[0] for v in first.values()}) > len(QUESTIONS)  # draws differ


def test_equal_requests_are_answered_alike_and_each(folder: ModelFolder) -> None:
    asked = requests(folder, WARM, draws=1)[:2]
    replies = in_order(LocalChat(folder), [*asked, asked[0]])
    assert len(replies) == 3
    assert replies[0] == replies[2]


def test_messages_go_through_the_chat_template(folder: ModelFolder) -> None:
    said = Request(messages=(Message("user", QUESTIONS[0]),), sampling=Sampling(max_tokens=8))
    posed = Encoder.of(folder).pose(QUESTIONS[0], Sampling(max_tokens=8))
    by_message, by_ids = in_order(LocalChat(folder), [said, posed])
    assert by_message.token_ids == by_ids.token_ids


def test_a_stop_string_ends_the_answer_and_is_cut_off(folder: ModelFolder) -> None:
    place = requests(folder, WARM, draws=1)[0].token_ids
    (free,) = LocalChat(folder)([Request(token_ids=place, sampling=Sampling(0.0, 1.0, 24))])
    word = free.text[6:8]
    (reply,) = LocalChat(folder)([Request(token_ids=place, sampling=Sampling(0.0, 1.0, 24, (word,)))])
    assert (reply.text, reply.finish_reason) == (free.text.partition(word)[0], "stop")
    assert reply.usage.completion_tokens < free.usage.completion_tokens


def test_a_prompt_that_fills_the_context_is_answered_with_nothing(folder: ModelFolder) -> None:
    long = Request(token_ids=tuple([5] * 300), sampling=Sampling(max_tokens=8))
    short = Request(token_ids=tuple([5] * 250), sampling=Sampling(max_tokens=50))
    nothing, some = in_order(LocalChat(folder), [long, short])
    assert (nothing.text, nothing.token_ids, nothing.finish_reason) == ("", (), "length")
    assert some.usage.completion_tokens <= 6


def test_closing_early_lets_go_of_what_is_not_to_be_kept(folder: ModelFolder) -> None:
    chat = LocalChat(folder, LocalOptions(chunk=4, keep_gb=0))
    replies = chat(iter(requests(folder, WARM)))
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert chat._loaded is None


def test_weights_stay_for_the_next_call_until_another_model_wants_the_room(folder: ModelFolder) -> None:
    asked = requests(folder, WARM)
    chat, fresh = LocalChat(folder), LocalChat(folder, LocalOptions(keep_gb=0))
    first = answers(chat, asked[:8])
    kept = chat._loaded
    assert kept is not None
    assert answers(chat, asked[8:]) | first == answers(fresh, asked)
    assert chat._loaded is None  # the other one took its place
    assert answers(chat, asked[:8]) == first
    chat.close()
    assert chat._loaded is None


def test_the_nucleus_holds_the_token_that_reaches_top_p_and_nothing_after() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(1000, 1)
    uniform = torch.linspace(0, 0.9999, 1000)
    picked = draw_tokens(logits, torch.ones(1000), torch.full((1000,), 0.7), uniform)
    counts = torch.bincount(picked, minlength=4).tolist()
    assert counts[2:] == [0, 0]
    assert counts[0] == pytest.approx(625, abs=2)  # 0.5 of 0.8


def test_draws_follow_the_distribution_and_temperature_0_is_greedy() -> None:
    logits = torch.tensor([[0.2, 0.7, 0.1]]).log().repeat(1000, 1)
    uniform = torch.linspace(0, 0.9999, 1000)
    warm = draw_tokens(logits, torch.ones(1000), torch.ones(1000), uniform)
    assert torch.bincount(warm, minlength=3).tolist() == pytest.approx([200, 700, 100], abs=2)
    assert set(draw_tokens(logits, torch.zeros(1000), torch.ones(1000), uniform).tolist()) == {1}


def test_a_wide_nucleus_in_a_large_vocabulary_is_looked_at_whole() -> None:
    logits = torch.zeros(4, 5000)
    uniform = torch.tensor([0.0, 0.5, 0.9, 0.99])
    picked = draw_tokens(logits, torch.ones(4), torch.full((4,), 0.9), uniform)
    assert len(set(picked.tolist())) == 4


@pytest.mark.parametrize("n", [5, 64, 820, 1025, 5000])
@pytest.mark.parametrize("spread", [0.3, 2.0, 8.0])
def test_however_few_tokens_are_looked_at_the_draw_is_that_of_all_sorted(n: int, spread: float) -> None:
    made = torch.Generator().manual_seed(n)
    logits = spread * torch.randn(64, n, generator=made)
    temperature, top_p, uniform = (torch.rand(64, generator=made) for _ in range(3))
    temperature[::5] = 0.0
    top_p = 0.5 + top_p / 2
    picked = draw_tokens(logits, temperature, top_p, uniform).tolist()
    for r, token in enumerate(picked):
        if temperature[r] == 0:
            assert token == int(logits[r].argmax())
            continue
        p, order = (logits[r] / temperature[r]).softmax(-1).double().sort(descending=True)
        before = torch.cat([torch.zeros(1), p.cumsum(-1)])
        place, whole = order.tolist().index(token), before[int((before < top_p[r]).sum())]
        assert before[place] < top_p[r] + 1e-4
        assert before[place] / whole - 1e-4 <= uniform[r] <= before[place + 1] / whole + 1e-4


@pytest.mark.parametrize("n", [100, 820, 5000])
def test_among_equals_a_draw_does_not_depend_on_the_other_rows(n: int) -> None:
    made = torch.Generator().manual_seed(n)
    logits = (3 * torch.randn(64, n, generator=made)).round()  # as in bfloat16: many are equal
    one, top_p, uniform = torch.ones(64), torch.full((64,), 0.9), torch.rand(64, generator=made)
    alone = [draw_tokens(logits[i : i + 1], one[:1], top_p[:1], uniform[i : i + 1]) for i in range(64)]
    assert torch.equal(draw_tokens(logits, one, top_p, uniform), torch.cat(alone))


@pytest.mark.parametrize("n", [5, 820, 5000])
def test_a_draw_does_not_depend_on_how_the_other_rows_are_drawn(n: int) -> None:
    made = torch.Generator().manual_seed(n)
    logits, uniform = 3 * torch.randn(60, n, generator=made), torch.rand(60, generator=made)
    ways = [(1.0, 1.0), (1.0, 0.9), (0.0, 1.0), (0.0, 0.9), (0.7, 0.5)]
    temperature, top_p = torch.tensor(ways * 12).unbind(1)
    rows = (logits, temperature, top_p, uniform)
    alone = [draw_tokens(*(of[i : i + 1] for of in rows)) for i in range(60)]
    assert torch.equal(draw_tokens(*rows), torch.cat(alone))


def test_grouped_heads_decode_as_single_ones_do() -> None:
    for kv_heads in (1, 4):
        model = tiny_model(kv_heads=kv_heads)
        (sampled,) = sample_chunk(model, [Asked((5, 6, 7), 12)], frozenset({2}), str, 2)
        prompt = torch.tensor([[5, 6, 7]])
        expected = tiny_model(kv_heads=kv_heads).generate(prompt, max_new_tokens=12, do_sample=False)[0, 3:]
        assert tuple(expected.tolist()) == sampled.ids


def test_what_is_not_there_or_not_known_is_named(tmp_path: Path, folder: ModelFolder) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        open_chat(ModelSettings(backend="transformers_local", model=str(tmp_path / "nowhere")))
    with pytest.raises(RecipeError, match="did you mean `rows`"):
        open_chat(ModelSettings(backend="transformers_local", model=str(folder.path), options={"row": 3}))
    assert open_chat(ModelSettings(model=str(folder.path))).fingerprint == folder.fingerprint


def test_a_context_that_may_cut_answers_is_part_of_who_answers(folder: ModelFolder) -> None:
    """Else an answer that was cut is found again when there is more room."""
    plain, cut, longer = (LocalChat(folder, LocalOptions(max_context=n)) for n in (None, 20, 30))
    assert plain.fingerprint == folder.fingerprint
    assert len({plain.fingerprint, cut.fingerprint, longer.fingerprint}) == 3
