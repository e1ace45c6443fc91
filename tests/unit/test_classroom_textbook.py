"""The textbook: what it writes, edits, solves and judges, careful and careless; it sees messages only."""

import random
import re
from collections import Counter
from itertools import islice

import pytest

from orcamath.answers import worked
from orcamath.classroom.grammar import parse_story, render, state
from orcamath.classroom.growing import n_operations, stories
from orcamath.classroom.held_out import HeldOut, UnreadableScreen
from orcamath.classroom.seeds import read
from orcamath.classroom.solutions import STYLES, written
from orcamath.classroom.solving import Story, solve
from orcamath.classroom.textbook import REFUSAL, Careless, TextbookOptions, draw_of, open_chat, reply
from orcamath.errors import RecipeError
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings

STORIES = list(islice(stories(random.Random(3)), 300))


def asks(task: str, **blocks: str) -> tuple[Message, ...]:
    """A prompt as the agents write it: the task in the first line, blocks apart, instructions around them."""
    body = "\n\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in blocks.items())
    return Message("system", f"Task: {task}\nYou are careful."), Message("user", f"Here it is.\n\n{body}\n\nBegin.")


def found(tag: str, text: str) -> list[str]:
    return re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)


def test_ask_me_anything_hides_every_number_and_restates_the_seed_last() -> None:
    for story in STORIES:
        text = reply(asks("ask_me_anything", problem=render(story), answer=str(solve(story).answer)))
        (statement,), targets, questions = found("statement", text), found("target", text), found("question", text)
        assert statement == state(story._replace(told=0))
        assert len(targets) == len(questions) == len(re.findall(r"\d+", statement)) == len(story.steps) + 2
        assert questions[-1] == render(story)
        for target, question in zip(targets, questions, strict=True):
            assert solve(parse_story(question)).answer == int(target)
        assert len({parse_story(q).asked for q in questions}) == len(questions)


def edited(story: Story, options: TextbookOptions | None = None) -> str:
    suggestions = reply(asks("suggester", problem=render(story)), options=options)
    assert 1 <= len(found("suggestion", suggestions)) <= 3
    return found("edited_problem", reply(asks("editor", problem=render(story), suggestions=suggestions), 0, options))[0]


def test_a_terse_teacher_tells_hidden_numbers_bare_and_works_the_rest_out() -> None:
    terse = TextbookOptions(terse=0.6, styles=1)
    bare = Counter[bool]()
    for story in STORIES:
        text = reply(asks("solver", problem=render(story)), options=terse)
        assert text == reply(asks("solver", problem=render(story)), 7, terse)
        assert text.endswith(f"#### {solve(story).answer}")
        if story.forward:
            assert worked(text)
        else:
            bare[not worked(text)] += 1
    assert 0.5 < bare[True] / bare.total() < 0.7


def test_nearly_every_edit_takes_more_steps_in_both_rounds() -> None:
    harder = 0
    for story in STORIES:
        once = parse_story(edited(story))
        twice = parse_story(edited(once))
        harder += (n_operations(once) > n_operations(story)) + (n_operations(twice) > n_operations(once))
    assert harder >= 0.95 * 2 * len(STORIES)


def test_the_solver_is_right_and_has_several_styles() -> None:
    bodies = Counter()
    for i, story in enumerate(STORIES):
        text = reply(asks("solver", problem=render(story)), i)
        body, _, last = text.rpartition("\n")
        assert last == f"#### {solve(story).answer}"
        bodies[body.split()[0].rstrip("0123456789")] += 1
    assert len(bodies) >= STYLES
    solution = solve(STORIES[0])
    assert len({written(solution, style) for style in range(STYLES)}) == STYLES


def test_a_problem_has_the_same_answer_in_every_draw_and_styles_differ() -> None:
    texts = {reply(asks("solver", problem=render(STORIES[0])), draw) for draw in range(20)}
    assert 2 <= len(texts) <= STYLES
    assert len({text.rsplit("####")[-1] for text in texts}) == 1


def test_a_plain_question_is_solved_too() -> None:
    assert reply([Message("user", render(STORIES[0]))]).endswith(f"#### {solve(STORIES[0]).answer}")


@pytest.mark.parametrize("task", ["ask_me_anything", "suggester", "editor", "solver", "sing", "judge"])
@pytest.mark.parametrize(
    "problem", ["", "What is {0} of </problem>?", "If a train leaves at 5 pm, when?", "<problem>" * 9]
)
def test_what_it_cannot_read_is_politely_refused(task: str, problem: str) -> None:
    assert reply(asks(task, problem=problem)) == REFUSAL
    assert reply([]) == REFUSAL


@pytest.mark.parametrize(
    ("reference", "student", "verdict", "short"),
    [
        ("3 + 4 = 7\n#### 7", "First 3 + 4 = 7.\n#### 7", "Correct", "7"),
        ("7", "#### 8", "Incorrect", "8"),
        ("1,200", "so it is 1200.", "Correct", "1200"),
        ("7", "I do not know", "Incorrect", ""),
    ],
)
def test_it_judges(reference: str, student: str, verdict: str, short: str) -> None:
    blocks = {"problem": "p", "reference": reference, "student": student}
    analysis, final = reply(asks("judge_verdict", **blocks)).split("\n")
    assert analysis.startswith("Error Analysis: ")
    assert final == f"Final Verdict: {verdict}"
    assert reply(asks("judge_extract", problem="p", student=student)) == f"<answer>{short}</answer>"


def wrong(careless: Careless, draw: int) -> set[int]:
    options = TextbookOptions(careless=careless)
    said = [reply(asks("solver", problem=render(s)), draw, options).rsplit("#### ")[-1] for s in STORIES]
    return {i for i, (s, t) in enumerate(zip(STORIES, said, strict=True)) if int(t) != solve(s).answer}


def test_careless_solutions_err_at_their_rate_by_draw_or_for_good() -> None:
    by_draw = [wrong(Careless(draw=0.2), d) for d in (1, 2)]
    for_good = [wrong(Careless(problem=0.2), d) for d in (1, 2)]
    assert all(30 <= len(w) <= 90 for w in by_draw + for_good)  # 60 ± 4 sigma
    assert by_draw[0] != by_draw[1]
    assert for_good[0] == for_good[1]
    assert wrong(Careless(), 1) == set()


def test_careless_writers_misstate_and_careless_editors_spoil() -> None:
    options = TextbookOptions(careless=Careless(misstate=1.0, ill_posed=1.0))
    for story in STORIES[:50]:
        asked = asks("ask_me_anything", problem=render(story), answer="")
        assert reply(asked, 0, options) != reply(asked)
        text = edited(story, options)
        assert UnreadableScreen()(text) is not None or parse_story(text) == story


def test_the_screens_drop_held_out_structures_and_what_they_cannot_read() -> None:
    def problems(split: str) -> list[str]:
        return [p.question for p in read(SourceSettings(name="classroom", split=split, options={"n": 40}))]  # type: ignore[arg-type]

    assert [HeldOut()(q) for q in problems("train")] == [None] * 40
    assert all((HeldOut()(q) or "").startswith("test: ") for q in problems("test"))
    assert all((HeldOut()(q) or "").startswith("dev: ") for q in problems("dev"))
    assert (HeldOut()("What is love?") or "").startswith("unreadable: ")
    assert UnreadableScreen()("What is love?")
    assert UnreadableScreen()(problems("test")[0]) is None


def test_seeds_are_distinct_reproducible_and_know_their_answers() -> None:
    settings = SourceSettings(name="classroom", split="train", options={"n": 200, "seed": 4})
    rows = list(read(settings))
    assert rows == list(read(settings))
    assert rows != list(read(settings.model_copy(update={"options": {"n": 200, "seed": 5}})))
    assert len({r.question for r in rows}) == len({r.id for r in rows}) == 200
    assert list(read(settings.model_copy(update={"limit": 7}))) == rows[:7]
    for row in rows:
        story = parse_story(row.question)
        assert story.forward
        assert (row.answer, row.answer_from, row.licence, row.split) == (
            str(solve(story).answer),
            "gold",
            "CC0-1.0",
            "train",
        )
    measured = list(read(SourceSettings(name="classroom", split="test", options={"n": 200})))
    assert 60 < sum(parse_story(r.question).forward for r in measured) < 140
    with pytest.raises(RecipeError, match="max_steps"):
        list(read(SourceSettings(name="classroom", options={"steps": 3})))


def test_the_port_gives_the_same_replies_in_any_order_and_counts_words() -> None:
    chat = open_chat(ModelSettings(backend="textbook", options={"seed": 1, "careless": {"draw": 0.5}}))
    sampling = Sampling(temperature=0.7)
    requests = [
        Request(asks("solver", problem=render(s)), sampling=sampling, draw=d) for s in STORIES[:20] for d in range(3)
    ]
    forwards = {r.key: r for r in chat(requests)}
    assert forwards == {r.key: r for r in chat(reversed(requests))}
    for request in requests:
        answer = forwards[request.key(chat.fingerprint)]
        assert answer.text == reply(
            request.messages, draw_of(request), TextbookOptions(seed=1, careless=Careless(draw=0.5))
        )
        assert answer.usage.completion_tokens == len(answer.text.split())
        assert answer.usage.prompt_tokens > 20


def test_a_reply_longer_than_allowed_is_cut_and_says_so() -> None:
    chat = open_chat(ModelSettings(backend="textbook"))
    (answer,) = chat([Request(asks("solver", problem=render(STORIES[0])), sampling=Sampling(max_tokens=3))])
    assert (answer.finish_reason, answer.usage.completion_tokens, len(answer.text.split())) == ("length", 3, 3)


def test_other_options_are_another_model_and_unknown_ones_an_error() -> None:
    plain, other = (open_chat(ModelSettings(options=o)).fingerprint for o in ({}, {"seed": 2}))
    assert plain != other
    with pytest.raises(RecipeError, match=r"unknown option `careless\.drawing` of the textbook; did you mean `draw`"):
        open_chat(ModelSettings(options={"careless": {"drawing": 0.1}}))
    with pytest.raises(RecipeError, match="less than or equal to 1"):
        open_chat(ModelSettings(options={"careless": {"draw": 7}}))
