"""Fields of others' records that hold what they may not: who returned which record, what its field holds, and what was due."""

import timeit
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from orcamath.agents.settings import AgentSettings
from orcamath.errors import OthersFailed
from orcamath.extend import FAMILIES
from orcamath.families import boundary
from orcamath.fields import amiss
from orcamath.held import held
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Comparison, Message, Reply, Request, Usage
from orcamath.records import Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings

SEED = Problem.make("How many?", "seed", "mine", split="train", licence="CC0-1.0")
USES: dict[str, Callable[[Any], object]] = {
    "source": lambda read: list(read(SourceSettings(name="x.py"))),
    "agent": lambda make: make(AgentSettings(name="x.py")).parse(
        Reply(b"", make(AgentSettings(name="x.py")).request(SEED, 0).messages[0].content), SEED
    ),
    "judge": lambda make: list(make(JudgeSettings(), None)(iter([Comparison("1+1?", "2", "2")]))),
    "backend": lambda open_chat: list(
        open_chat(ModelSettings(backend="x.py"))(iter([Request((Message("user", "1+1?"),))]))
    ),
}
IMPORTS = (
    "from orcamath.ports import Finding, Message, Reply, Request, Sampling, Usage\n"
    "from orcamath.records import Problem, Rejected\nfrom orcamath.sources.source import Unsplit\n"
    "P = Problem.make('How many?', 'seed', 'mine', answer='2', answer_from='gold', licence='x')\n"
)
CODE = {
    "source": "def read(settings):\n    yield {}\n",
    "agent": "class Own:\n    name = 'own'\n    def request(self, item, draw):\n        return {}\n"
    "    def parse(self, reply, item):\n        return {}\ndef agent(settings):\n    return Own()\n",
    "judge": "class Own:\n    fingerprint = 'own'\n    def __call__(self, comparisons):\n        for c in comparisons:\n"
    "            yield {}\ndef make(settings, model):\n    return Own()\n",
    "backend": "class Own:\n    fingerprint, chunk = 'own', None\n    def __call__(self, requests):\n        for r in requests:\n"
    "            yield {}\ndef open_chat(settings):\n    return Own()\n",
}
ASKS = "Request((Message('user', item.question),), draw=draw)"
USER = "(Message('user', item.question),)"

WRONG: list[tuple[str, str, str]] = [
    ("agent", "Request([{'role': 'user', 'content': '1?'}])", "`messages` is list ([{'role': 'user', 'content': '1?'"),
    ("agent", "Request('1+1?')", "`messages` is str ('1+1?'), and a tuple of Message is due"),
    ("agent", "Request(())", "asks nothing: `messages` is empty"),
    ("agent", "Request((Message('user', None),))", "`messages[0].content` is NoneType (None)"),
    ("agent", "Request((Message('user', 5),))", "`messages[0].content` is int (5)"),
    ("agent", "Request((Message('user', '\\ud800'),))", "a text that UTF-8 can carry is due"),
    (
        "agent",
        "Request((Message('bot', '1?'),))",
        "`messages[0].role` is str ('bot'), and `system`, `user` or `assistant` is",
    ),
    ("agent", f"Request({USER}, sampling=Sampling('hot', 1.0, 5))", "`sampling.temperature` is str ('hot')"),
    ("agent", f"Request({USER}, sampling=Sampling(0.7, 2, 5))", "`sampling.top_p` is int (2)"),
    ("agent", f"Request({USER}, sampling=Sampling(0.7, 1, -5))", "`sampling.max_tokens` is int (-5)"),
    ("agent", f"Request({USER}, sampling=Sampling(0.7, 1, 5, 'END'))", "`sampling.stop` is str ('END')"),
    ("agent", f"Request({USER}, sampling=None)", "`sampling` is NoneType (None), and a Sampling is due"),
    ("agent", f"Request({USER}, sampling=Sampling(0.7), draw=None)", "`draw` is NoneType (None)"),
    ("agent", "Request(token_ids=('a',))", "`token_ids` is tuple (('a',))"),
    ("judge", "Finding('agrees', None, None)", "`by` is NoneType (None), and a text that says who decided is due"),
    ("judge", "Finding('agrees', 'own', 7)", "`reason` is int (7), and a text is due"),
    ("judge", "Finding(['agrees'], 'own')", "`outcome` is list (['agrees'])"),
    ("backend", "Reply([1], '4')", "`key` is list ([1]), and the 16 bytes of its request's `key` is due"),
    ("backend", "Reply(r.key('own').hex(), '4')", "`key` is str"),
    ("backend", "Reply(r.key('own'), None)", "`text` is NoneType (None), and a text is due"),
    ("backend", "Reply(r.key('own'), 5)", "`text` is int (5)"),
    (
        "backend",
        "Reply(r.key('own'), '4', 'eos_token')",
        "`finish_reason` is str ('eos_token'), and `stop`, `length` or `refused`",
    ),
    ("backend", "Reply(r.key('own'), '4', None)", "`finish_reason` is NoneType (None)"),
    ("backend", "Reply(r.key('own'), '4', usage=None)", "`usage` is NoneType (None), and a Usage is due"),
    ("backend", "Reply(r.key('own'), '4', usage=Usage('3', None))", "`usage.prompt_tokens` is str ('3')"),
    ("backend", "Reply(r.key('own'), '4', usage=Usage(3, -7))", "`usage.completion_tokens` is int (-7)"),
    ("backend", "Reply(r.key('own'), '4', token_ids=(-1,))", "`token_ids` is tuple ((-1,))"),
    ("backend", "Reply(r.key('own'), error=5)", "`error` is int (5), and None, or a text that says what"),
    ("backend", "Reply(r.key('own'), error='')", "`error` is str ('')"),
    ("backend", "Reply(r.key('own'), '4', reasoning=5)", "`reasoning` is int (5)"),
    (
        "source",
        "P.model_copy(update={'id': 'same'})",
        "`id` is str ('same'), and the hash that `Problem.make` gives is due",
    ),
    (
        "source",
        "P.model_copy(update={'question': None})",
        "`question` is NoneType (None): Input should be a valid string",
    ),
    ("source", "P.model_copy(update={'answer': 6})", "`answer` is int (6): Input should be a valid string"),
    ("source", "P.model_copy(update={'question': 'a\\ud800'})", "`question` is str ('a\\ud800')"),
    ("source", "Problem.model_construct(question='How many?')", "that has no `id`"),
    ("source", "Unsplit(None)", "`read` returned Unsplit (Unsplit(problem=None))"),
    ("source", "Unsplit(P.model_copy(update={'split': 'all'}))", "`split` is str ('all')"),
    ("source", "Rejected.model_construct(item=None, reason='x')", "`item` is NoneType (None)"),
]
PARSED: list[tuple[str, str]] = [
    ("[P.model_copy(update={'answer': 7})]", "`answer` is int (7): Input should be a valid string"),
    ("Rejected(item=item.id, reason='x').model_copy(update={'text': None})", "`text` is NoneType (None)"),
]


def own(folder: Path, family: str, *returned: str) -> Any:
    path = folder / "mine.py"
    path.write_text(IMPORTS + CODE[family].format(*returned))
    return held(family, str(path))  # type: ignore[call-overload]


def told(folder: Path, family: str, *returned: str) -> str:
    with pytest.raises(OthersFailed) as error, boundary():
        USES[family](own(folder, family, *returned))
    message = str(error.value)
    assert message.startswith(f"{family} `{folder / 'mine.py'}`: ")
    assert message.endswith(FAMILIES[family].contract)
    assert "; it must return " in message
    return message


@pytest.mark.parametrize(("family", "record", "says"), WRONG)
def test_a_field_of_a_wrong_type_is_told_with_what_was_due(family: str, record: str, says: str, tmp_path: Path) -> None:
    assert says in told(tmp_path, family, *([record, "[]"] if family == "agent" else [record]))


@pytest.mark.parametrize(("made", "says"), PARSED)
def test_so_is_one_of_what_an_agent_parsed(made: str, says: str, tmp_path: Path) -> None:
    assert says in told(tmp_path, "agent", ASKS, made)


def test_half_characters_are_replaced_where_a_text_is_kept_or_told(tmp_path: Path) -> None:
    made = "Reply(r.key('own'), 'a \\ud800', error='b \\ud800', reasoning='c \\ud800')"
    (reply,) = USES["backend"](own(tmp_path, "backend", made))  # type: ignore[misc, attr-defined]
    assert (reply.text, reply.error, reply.reasoning) == ("a ?", "b ?", "c ?")
    (finding,) = USES["judge"](own(tmp_path, "judge", "Finding('agrees', 'me \\ud800', 'so \\ud800')"))  # type: ignore[misc, attr-defined]
    assert (finding.by, finding.reason) == ("me ?", "so ?")


@pytest.mark.parametrize("question", ["", " \\n"])
def test_a_problem_that_asks_nothing_is_rejected_with_a_reason_and_never_paid_for(
    question: str, tmp_path: Path
) -> None:
    blank = f"Problem.make('{question}', 'seed', 'mine', answer='7')"
    text = question.replace("\\n", "\n")
    read = own(tmp_path, "source", f"from [P, {blank}, Unsplit({blank})]")
    assert USES["source"](read)[1:] == [  # type: ignore[index]
        Rejected(item=f"problem {n}", reason="no_question", detail="the question is empty", text=text) for n in (2, 3)
    ]
    assert USES["agent"](own(tmp_path, "agent", ASKS, f"[P, {blank}]"))[1:] == [  # type: ignore[index]
        Rejected(item=SEED.id, reason="no_question", detail="the question is empty", text=text)
    ]


class Wordy(Problem):
    """A stranger's own kind of problem, which remembers what it worked out."""

    @cached_property
    def words(self) -> list[str]:
        return self.question.split()


def test_a_list_for_a_tuple_and_what_a_record_remembers_are_no_flaws() -> None:
    problem = Problem.make("Tom has 3 pens. How many?", "seed", "t")
    assert amiss(problem.model_copy(update={"parents": [problem.id]})) is None
    own = Wordy.model_validate(problem.model_dump())
    assert own.words[0] == "Tom"
    assert amiss(own) is None


def test_records_as_they_should_be_have_no_flaw_and_are_looked_at_in_microseconds() -> None:
    reply = Reply(b"0" * 16, "So it is 4. " * 30, usage=Usage(300, 200))
    request = Request([Message("system", "½"), Message("user", "1+1?")])  # type: ignore[arg-type] — a list does as well
    for record in (reply, request, Request(token_ids=(1, 2)), SEED, Rejected(item="a", reason="b")):
        assert amiss(record) is None
    assert (
        min(timeit.repeat(lambda: amiss(reply), number=1000, repeat=5)) < 1000 * 50e-6
    )  # 3 µs; ten times that is a fault
