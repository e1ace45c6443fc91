"""The driver: fill, fold, re-asks, both balances, wire failures; and the agents' stages on top of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orcamath.agents.driver import CallSettings, drive, write
from orcamath.agents.few_kept import with_few_told
from orcamath.errors import BrokenBalance, OthersFailed, RecipeError, WireDown
from orcamath.ports import Message, Reply, Request
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Output
from orcamath.store.facts import Facts
from orcamath.store.under_way import Calls
from scripted import Bench, Scripted, seed, user_text


class Shout:
    """Makes one problem a seed of a reply that ends in `!`, and as many as there are lines."""

    name = "shout"

    def __init__(self, temperature: float = 0.7) -> None:
        self.settings = CallSettings(temperature=temperature)

    def request(self, item: Problem, draw: int) -> Request:
        return Request((Message("user", item.question),), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> Sequence[Problem | Rejected] | Rejected:
        if "!" not in reply.text:
            return Rejected(item=item.id, reason="quiet")
        lines = reply.text.splitlines()
        quiet = [Rejected(item=item.id, reason="mumbled") for line in lines if not line.endswith("!")]
        return [
            *(Problem.make(line, "shout", "test", parents=(item.id,)) for line in lines if line.endswith("!")),
            *quiet,
        ]


SEEDS = [seed(f"Question {i}?") for i in range(5)]


def run(bench: Bench, chat: Scripted, *, tries: int = 1, temperature: float = 0.7):
    seeds = bench.table(SEEDS)
    model = bench.model(chat)
    return bench.run(
        lambda out: write(Shout(temperature), lambda: seeds.read(Problem), model, out, tries=tries) and None
    )


def test_results_come_in_input_order_however_replies_arrived(tmp_path: Path) -> None:
    made = run(Bench(tmp_path), Scripted(lambda r: f"{user_text(r)} loud!"))
    assert [p.question for p in made.read(Problem)] == [f"Question {i}? loud!" for i in range(5)]


def test_a_reply_that_cannot_be_read_is_asked_again_with_the_next_draw(tmp_path: Path) -> None:
    chat = Scripted(lambda r: "loud!" if r.draw == 1 or "0" in user_text(r) else "hm")
    made = run(Bench(tmp_path), chat, tries=3)
    assert sorted((user_text(r), r.draw) for r in chat.asked) == sorted(
        [(f"Question {i}?", 0) for i in range(5)] + [(f"Question {i}?", 1) for i in range(1, 5)]
    )
    assert made.balance["asked"] == 9
    assert made.balance["parsed"] == 5
    assert made.balance["failed"] == 4
    assert made.facts["failed_calls"] == {"quiet": 4}


class Moody(Shout):
    """Asks about an item in other words each time, though not the first two."""

    n = 0

    def request(self, item: Problem, draw: int) -> Request:
        self.n += 1
        said = item.question if self.n < 3 else f"{item.question} ({self.n})"
        return Request((Message("user", said),), sampling=self.settings.sampling(), draw=draw)


class Fickle(Shout):
    """Reads a reply in one way the first time, and in another after that."""

    n = 0

    def parse(self, reply: Reply, item: Problem) -> Sequence[Problem | Rejected] | Rejected:
        self.n += 1
        return super().parse(reply, item) if self.n <= len(SEEDS) else Rejected(item=item.id, reason="quiet")


@pytest.mark.parametrize(("agent", "tries"), [(Moody(), 1), (Moody(), 2), (Fickle(), 2)])
def test_a_reply_that_was_never_asked_for_ends_the_stage_with_who_it_was(
    agent: Shout, tries: int, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    seeds, model = bench.table(SEEDS), bench.model(Scripted(lambda r: "loud!"))
    with pytest.raises(OthersFailed, match=r"agent `shout`: the reply about `.*` is not found again, since `request`"):
        bench.run(lambda out: write(agent, lambda: seeds.read(Problem), model, out, tries=tries) and None)


def test_greedy_calls_are_never_asked_again(tmp_path: Path) -> None:
    chat = Scripted(lambda r: "hm")
    made = run(Bench(tmp_path), chat, tries=3, temperature=0.0)
    assert len(chat.asked) == 5
    assert made.balance["asked"] == made.balance["failed"] == 5


def test_every_result_is_kept_or_rejected(tmp_path: Path) -> None:
    made = run(Bench(tmp_path), Scripted(lambda r: "one!\nmm\ntwo!"))
    assert made.balance["results"] == 15
    assert made.balance["kept"] == 10
    assert made.balance["rejected"] == {"mumbled": 5}


def test_a_stage_that_loses_a_result_is_found_out(tmp_path: Path) -> None:
    bench, lost = Bench(tmp_path), []
    seeds, model = bench.table(SEEDS), bench.model(Scripted(lambda r: "loud!"))

    def forgetful(out: Output) -> None:
        for _, made in drive(Shout(), lambda: seeds.read(Problem), model, out):
            lost.append(made) if lost else (lost.append(made), out.keep(owed=True))

    with pytest.raises(BrokenBalance, match="4 results were handed on"):
        bench.run(forgetful)


def test_a_wire_failure_keeps_the_stage_open_and_only_the_rest_is_asked_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    down = Scripted(lambda r: None if "3" in user_text(r) else "loud!")
    with pytest.raises(WireDown, match="connection reset"):
        run(bench, down, tries=2)
    up = Scripted(lambda r: "loud!")
    bench.n = 0
    made = run(bench, up, tries=2)
    assert [user_text(r) for r in up.asked] == ["Question 3?"]
    assert made.count("problems") == 5


def test_refused_and_empty_replies_never_reach_the_parser(tmp_path: Path) -> None:
    def say(r: Request) -> str | Reply:
        return Reply(b"", "no!", "refused") if "1" in user_text(r) else Reply(b"", " ", "length")

    made = run(Bench(tmp_path), Scripted(say))
    assert made.facts["failed_calls"] == {"refused": 1, "cut_off": 4}


def test_a_prompt_of_the_users_own_changes_the_fingerprint_and_its_path_does_not(tmp_path: Path) -> None:
    from orcamath.agents.ask_me_anything import AskSettings

    ours = AskSettings()
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("Task: ask_me_anything\nMine.\n---\n{{problem}} {{answer}}")
    a, b = (AskSettings(prompt=str(tmp_path / n)) for n in ("a.md", "b.md"))
    assert a.identity() == b.identity() == ours.identity()
    assert a.contents() == b.contents() != ours.contents()
    (tmp_path / "examples.md").write_text("An example with {braces} and {{problem}}.\n---\nIts reply.")
    mine = AskSettings(prompt=a.prompt, examples=str(tmp_path / "examples.md"))
    assert mine.contents() != a.contents()
    messages = mine.loaded().messages({"problem": "P", "answer": "A"})
    assert [m.content for m in messages[1:]] == ["An example with {braces} and {{problem}}.", "Its reply.", "P A"]


def test_a_prompt_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.md"):
        CallSettings(prompt=str(tmp_path / "nowhere.md")).contents()


@pytest.mark.parametrize(("asked", "kept", "told"), [(0, 0, 0), (64, 0, 1), (64, 3, 1), (64, 4, 0), (1, 1, 0)])
def test_a_stage_that_keeps_next_to_nothing_says_so(asked: int, kept: int, told: int, tmp_path: Path) -> None:
    out = Output(tmp_path, tmp_path, Calls("ask", None))
    out.balance.asked, out.balance.kept = asked, kept
    out.failed_calls["no_problem"] = asked - kept
    warnings = with_few_told(Facts(), out).warnings
    assert len(warnings) == told
    assert all(f"of {asked} calls {kept} problems were kept (rejected most often: `no_problem`)" in w for w in warnings)
    assert ("warnings" in with_few_told(Facts(), out).plain()) == bool(told)
