"""What a stranger's code returns wrongly: one message in every family, at whichever call; right code passes unchanged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from orcamath.agents.settings import AgentSettings
from orcamath.errors import OthersFailed
from orcamath.extend import FAMILIES
from orcamath.families import boundary, find
from orcamath.held import held
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Batched, Closing, Comparison, Finding, Message, Reply, Request, TrackedRun
from orcamath.records import Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings, is_generated
from orcamath.student.launch import loss_name
from orcamath.student.losses import Batch, Loss, Totals, needs_of
from orcamath.student.settings import LossSettings

COMPARISONS = [Comparison("1+1?", "2", "2"), Comparison("1+1?", "2", "3")]
REQUESTS = [Request((Message("user", f"{i}+1?"),)) for i in range(2)]
SEED = Problem.make("How many?", "seed", "mine", split="train", licence="CC0-1.0")
RUN = TrackedRun("run", "run", "0f", Path(), {})


def _batch() -> Batch:
    row, none = torch.zeros(2), torch.zeros(0)
    logp = torch.tensor([-1.0, -2.0], requires_grad=True)
    return Batch(
        logp, row, row, row > 0, row, none.reshape(0, 2).long(), none, torch.tensor(0.0), Totals(2.0, 0.0, 2.0)
    )


def _round(agent: Any) -> object:
    return agent.parse(Reply(b"", agent.request(SEED, 0).messages[0].content), SEED)


USES: dict[str, Callable[[Any], object]] = {
    "source": lambda read: list(read(SourceSettings(name="x.py"))),
    "agent": lambda make: _round(make(AgentSettings(name="x.py"))),
    "judge": lambda make: list(make(JudgeSettings(), None)(iter(COMPARISONS))),
    "loss": lambda loss: loss(_batch(), LossSettings()),
    "backend": lambda open_chat: list(open_chat(ModelSettings(backend="x.py"))(iter(REQUESTS))),
    "screen": lambda make: [screen("1+1?") for screen in make()],
    "tracker": lambda open_tracker: open_tracker(RUN).add("learn 2", 1, {"loss": 0.5}),
    "base": lambda folder: folder(),
}

JUDGE = (
    "from orcamath.ports import Finding\nclass Own:\n    fingerprint = 'own'\n    def __call__(self, comparisons):\n"
    "        {}\ndef make(settings, model):\n    return Own()\n"
)
CHAT = (
    "from orcamath.ports import Reply\nclass Own:\n    fingerprint, chunk = 'own', None\n    def __call__(self, requests):\n"
    "        {}\ndef open_chat(settings):\n    return Own()\n"
)
AGENT = (
    "from orcamath.ports import Message, Request\nclass Own:\n    name = 'own'\n    def request(self, item, draw):\n"
    "        {}\n    def parse(self, reply, item):\n        {}\ndef agent(settings):\n    return Own()\n"
)
ASKS = "return Request((Message('user', item.question),), draw=draw)"
RANDOM = "Request((Message('user', str(random.random()) + item.question),), draw=draw)"
SCREEN = (
    "class Own:\n    fingerprint, reason = 'own', {}\n    def __call__(self, question):\n        {}\n"
    "def make():\n    return [Own()]\n"
)
LOSS = "import torch\nfrom orcamath.student.losses import Loss\ndef loss(batch, settings):\n    return {}\n"

WRONG: list[tuple[str, str, str]] = [
    ("source", "def read(settings):\n    return None\n", "`read` returned NoneType"),
    ("source", "def read(settings):\n    return 'rows.jsonl'\n", "`read` returned str ('rows.jsonl')"),
    ("source", "def read(settings):\n    yield {'question': '1+1?'}\n", "`read` returned dict"),
    (
        "agent",
        "def agent(settings):\n    return 'an agent'\n",
        "it must return an Agent: `name`, `request` and `parse`",
    ),
    ("agent", AGENT.replace("'own'", "''").format(ASKS, "return []"), "`name` returned"),
    (
        "agent",
        AGENT.format("import random; return " + RANDOM, "return []"),
        "`request` asked something else the second time",
    ),
    ("agent", AGENT.format("return 'ask'", "return []"), "`request` returned str ('ask'); it must return a Request"),
    ("agent", AGENT.format(ASKS, "return reply.text"), "`parse` returned str"),
    ("agent", AGENT.format(ASKS, "return None"), "`parse` returned NoneType"),
    ("agent", AGENT.format(ASKS, "return [reply]"), "`parse` returned list"),
    ("judge", "def make(settings, model):\n    return 'a judge'\n", "`make` returned str ('a judge')"),
    (
        "judge",
        "def make(settings, model):\n    return lambda comparisons: []\n",
        "it has a `fingerprint`, and is called",
    ),
    ("judge", JUDGE.replace("'own'", "None").format("return []"), "`fingerprint` returned NoneType"),
    ("judge", JUDGE.format("return True"), "`__call__` returned bool (True); it must return one Finding a comparison"),
    ("judge", JUDGE.format("return ['agrees' for c in comparisons]"), "`__call__` returned str ('agrees')"),
    (
        "judge",
        JUDGE.format("return [Finding('right', 'own') for c in comparisons]"),
        "returned a Finding whose `outcome` is str ('right')",
    ),
    (
        "judge",
        JUDGE.format("return [Finding('agrees', 'own') for c in comparisons][:1]"),
        "after 1 findings there were",
    ),
    ("judge", JUDGE.format("return [Finding('agrees', 'own')]"), "`__call__` returned Finding"),
    (
        "judge",
        JUDGE.format("return [Finding('agrees', 'own') for c in comparisons] * 2"),
        "`__call__` returned Finding",
    ),
    ("loss", LOSS.format("0.5"), "`loss` returned float (0.5); it must return a Loss"),
    ("loss", LOSS.format("Loss(0.5)"), "`loss` returned Loss (Loss(total=0.5))"),
    ("loss", LOSS.format("Loss(batch.logp)"), "a tensor without dimensions, made of `batch.logp`"),
    ("loss", LOSS.format("Loss(torch.tensor(0.5))"), "a tensor without dimensions, made of `batch.logp`"),
    ("backend", "def open_chat(settings):\n    return 'a model'\n", "`open_chat` returned str ('a model')"),
    (
        "backend",
        CHAT.replace(", chunk = 'own', None", " = 'own'").format("yield"),
        "it has a `fingerprint` and a `chunk`",
    ),
    ("backend", CHAT.replace("'own', None", "'own', 'all'").format("yield"), "`chunk` returned str ('all')"),
    (
        "backend",
        CHAT.replace("'own', None", "'own', 0").format("yield"),
        "`chunk` returned int (0); it must return None, or a",
    ),
    ("backend", CHAT.replace("'own', None", "'own', -3").format("yield"), "a number of calls from 1"),
    ("backend", CHAT.replace("'own', None", "'own', True").format("yield"), "`chunk` returned bool (True)"),
    ("backend", CHAT.format("return 7"), "`__call__` returned int (7); it must return one Reply a request"),
    ("backend", CHAT.format("return [Reply(r.key('own')) for r in requests]"), "`__call__` returned list"),
    ("backend", CHAT.format("yield from ('hello' for r in requests)"), "`__call__` returned str ('hello')"),
    (
        "backend",
        CHAT.format("yield from (Reply(b'mine') for r in requests)"),
        "`__call__` returned Reply (Reply(key=b'mine'",
    ),
    (
        "backend",
        CHAT.format("yield from [Reply(r.key('own')) for r in requests][:1]"),
        "requests without a reply: 1; it must return one Reply a request",
    ),
    ("screen", "def make():\n    return None\n", "`make` returned NoneType (None); it must return Screens"),
    ("screen", "def make():\n    return ['one']\n", "`make` returned str ('one'); it must return Screens"),
    ("screen", SCREEN.format("''", "return None"), "`reason` returned"),
    ("screen", SCREEN.format("'own'", "return True"), "`__call__` returned bool (True)"),
    (
        "screen",
        SCREEN.format("'own'", "return False"),
        "`__call__` returned bool (False); it must return a text that is not empty, or None",
    ),
    ("screen", SCREEN.format("'own'", "return ''"), "`__call__` returned str (''); it must return a text that"),
    ("tracker", "def open_tracker(run):\n    return 'a tracker'\n", "it must return a Tracker: `add` and `close`"),
    (
        "base",
        "def folder():\n    return 'models/mine'\n",
        "`folder` returned str ('models/mine'); it must return a Path",
    ),
    ("source", "def read():\n    return []\n", "`read(settings)` cannot be called: too many positional arguments"),
    ("agent", "def agent(settings, model):\n    pass\n", "cannot be called: missing a required argument: 'model'"),
    ("agent", AGENT.replace("item, draw", "item").format("pass", "pass"), "`request(item, draw)` cannot be called"),
    ("judge", "def make(settings):\n    pass\n", "`make(settings, model)` cannot be called"),
    (
        "judge",
        JUDGE.replace("self, comparisons", "self, question, answer").format("pass"),
        "`__call__(comparisons)` cannot",
    ),
    ("loss", "def loss(batch):\n    pass\n", "`loss(batch, settings)` cannot be called"),
    ("backend", "def open_chat():\n    pass\n", "`open_chat(settings)` cannot be called"),
    ("screen", "def make(settings):\n    pass\n", "`make()` cannot be called"),
    (
        "tracker",
        "class Own:\n    def add(self, numbers): pass\n    def close(self): pass\n"
        "def open_tracker(run):\n    return Own()\n",
        "`add(stage, step, numbers)` cannot be called",
    ),
    ("base", "def folder(settings):\n    pass\n", "`folder()` cannot be called"),
]

RIGHT = {
    "source": "from orcamath.records import Rejected\ndef read(settings):\n    return [Rejected(item='a', reason='bad_line')]\n",
    "agent": AGENT.format(ASKS, "return []"),
    "judge": JUDGE.format("return (Finding('agrees', 'own') for c in comparisons)"),
    "loss": LOSS.format("Loss(-batch.logp.sum())"),
    "backend": CHAT.format("yield from (Reply(r.key('own')) for r in requests)"),
    "screen": SCREEN.format("'own'", "return 'the whole of it'"),
    "tracker": "class Own:\n    def add(self, stage, step, numbers): pass\n    def close(self): pass\n"
    "def open_tracker(run):\n    return Own()\n",
    "base": "from pathlib import Path\ndef folder():\n    return Path('models')\n",
}
RETURNED = {
    "source": [Rejected(item="a", reason="bad_line")],
    "agent": [],
    "judge": [Finding("agrees", "own")] * 2,
    "backend": [Reply(r.key("own")) for r in REQUESTS],
    "screen": ["the whole of it"],
    "tracker": None,
    "base": Path("models"),
}


def test_every_family_with_an_entry_is_held() -> None:
    families = {family for family, contract in FAMILIES.items() if contract.entry}
    assert families == set(USES) == set(RIGHT) == {family for family, *_ in WRONG}


@pytest.mark.parametrize(("family", "text", "says"), WRONG)
def test_what_is_returned_wrongly_is_one_message_with_the_contract(
    family: str, text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(OthersFailed) as told, boundary():
        USES[family](held(family, str(path)))  # type: ignore[call-overload]
    message = str(told.value)
    assert message.startswith(f"{family} `{path}`: ")
    assert says in message
    assert message.endswith(FAMILIES[family].contract)
    assert "\n" not in message


@pytest.mark.parametrize("family", RIGHT)
def test_what_is_returned_rightly_comes_through_unchanged(family: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(RIGHT[family])
    found = USES[family](held(family, str(path)))  # type: ignore[call-overload]
    if family == "loss":
        assert isinstance(found, Loss)
        assert found.total.item() == 3.0
    else:
        assert found == RETURNED[family]


def test_marks_and_what_a_member_offers_besides_are_kept(tmp_path: Path) -> None:
    own = {name: tmp_path / f"{name}.py" for name in ("loss", "source", "backend")}
    own["loss"].write_text(
        "from orcamath.student.losses import needs\n@needs('z0')\ndef loss(batch, settings):\n    pass\n"
    )
    loss = held("loss", str(own["loss"]))
    assert needs_of(loss) == {"z0"}
    assert loss_name(loss) == str(own["loss"])
    own["source"].write_text(
        "from orcamath.sources.source import generated\n@generated\ndef read(settings):\n    yield\n"
    )
    assert is_generated(held("source", str(own["source"])))
    own["backend"].write_text(CHAT.format("yield") + "Own.handed_in = lambda self: {b'k'}\n")
    chat = held("backend", str(own["backend"]))(ModelSettings(backend="x.py"))
    assert isinstance(chat, Batched)
    assert chat.handed_in() == {b"k"}
    assert isinstance(chat, Closing)
    chat.close()  # of one that holds on to nothing
    own["backend"].write_text(CHAT.format("yield") + "Own.handed_in = lambda self: None\n")
    chat = held("backend", str(own["backend"]))(ModelSettings(backend="x.py"))
    assert isinstance(chat, Batched)
    with pytest.raises(OthersFailed, match=r"`handed_in` returned NoneType \(None\); it must return a set of keys"):
        chat.handed_in()
    own["backend"].write_text(CHAT.format("yield"))
    assert not isinstance(held("backend", str(own["backend"]))(ModelSettings(backend="x.py")), Batched)


def test_replies_that_are_closed_early_are_closed_where_they_are_made(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(
        CHAT.format("yield from told(requests)") + "def told(requests):\n    try:\n        for r in requests:\n"
        "            yield Reply(r.key('own'))\n    finally:\n        open(__file__ + '.closed', 'w').close()\n"
    )
    name = str(tmp_path / "chat.py")
    replies = held("backend", name)(ModelSettings(backend=name))(iter(REQUESTS))
    assert next(replies).key == REQUESTS[0].key("own")
    assert not (tmp_path / "chat.py.closed").exists()
    replies.close()
    assert (tmp_path / "chat.py.closed").exists()


@pytest.mark.parametrize(("family", "text"), [("judge", RIGHT["judge"]), ("screen", RIGHT["screen"])])
def test_a_judge_or_screen_that_says_something_else_is_another_one(family: str, text: str, tmp_path: Path) -> None:
    def named(place: str, text: str) -> str:
        path = tmp_path / place
        path.write_text(text)
        made = held(family, str(path))  # type: ignore[call-overload]
        one = made(JudgeSettings(), None) if family == "judge" else made()[0]
        return str(one.fingerprint)

    before = named("a.py", text)
    assert before.startswith("own, ")
    assert named("b.py", text) == before  # where it lies is no part of it
    assert named("a.py", text.replace("return", "return  ")) != before


def test_a_backend_keeps_its_name_so_that_nothing_is_paid_for_twice(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    for text in (RIGHT["backend"], RIGHT["backend"] + "# mended\n"):
        path.write_text(text)
        assert held("backend", str(path))(ModelSettings(backend="x.py")).fingerprint == "own"


def test_half_a_character_of_a_reply_is_replaced_before_anything_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(
        CHAT.format("yield from (Reply(r.key('own'), 'It is \\ud83d 4.') for r in requests)")
    )
    name = str(tmp_path / "chat.py")
    replies = held("backend", name)(ModelSettings(backend=name))(iter(REQUESTS))
    assert [reply.text for reply in replies] == ["It is ? 4."] * 2


def test_what_ships_here_is_not_wrapped() -> None:
    for family, name in (("source", "gsm8k"), ("judge", "rules"), ("loss", "kto"), ("backend", "textbook")):
        assert held(family, name) is getattr(find(family, name), FAMILIES[family].entry)  # type: ignore[call-overload]
