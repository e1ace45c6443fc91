"""The stages that `scale.py` measures, over seeds and replies that are made up: no model, no network.

`Bench` is one size's store; its methods are the stages by name, in the order `ORDER`, each with the stages it `NEEDS`. No two
seeds have the same numbers; names, things and verbs are made-up words, of which there are 3,800.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import contamination
from sealing import sealed

__all__ = ["MEASURED", "NEEDS", "ORDER", "Bench"]

TESTS = 1_319
SAMPLES = 4
SEED = (
    "{name} has {a} {thing} in a {place} and {verb} {b} {thing} more on the way home. "
    "How many {thing} does {name} have now?"
)
TOLD = re.compile(
    r"(?P<name>\w+) has (?P<a>\d+) (?P<thing>\w+) in a (?P<place>\w+) and (?P<verb>\w+) (?P<b>\d+) \w+ more on the way home"
)
STATEMENT = (
    "{name} has {a} {thing} in a {place} and {verb} {b} {thing} more on the way home, "
    "so that {name} has {c} {thing} now."
)
REPLY = f"""<statement>{STATEMENT}</statement>
<target>{{a}}</target>
<question>{{name}} has some {{thing}} in a {{place}} and {{verb}} {{b}} {{thing}} more on the way home. {{name}} has {{c}}
{{thing}} now. How many {{thing}} were in the {{place}} at first?</question>
<target>{{b}}</target>
<question>{{name}} has {{a}} {{thing}} in a {{place}} and {{verb}} some more on the way home. {{name}} has {{c}} {{thing}} now.
How many {{thing}} came on the way home?</question>
<target>{{c}}</target>
<question>{SEED}</question>"""


def told(n: int) -> Iterator[dict[str, Any]]:
    """Yield what is told in each of n seeds: no two have the same numbers."""
    words = contamination.made_up_words(4_000, random.Random(0))[200:]  # behind the stop words
    for i in range(n):
        name, thing, place, verb = (words[(i + 1) * step % len(words)] for step in (7, 11, 13, 17))
        a, b = 2 + i % 1009, 3 + i % 1013
        yield {"name": name.capitalize(), "thing": thing, "place": place, "verb": verb, "a": a, "b": b, "c": a + b}


class Writer:
    """A model in this process that answers as asked, with different text for every seed."""

    fingerprint, chunk = "scale", None

    def __call__(self, requests: Iterable[Any]) -> Iterator[Any]:
        """Answer each by the last problem that was told."""
        from orcamath.ports import Reply, Usage

        for request in requests:
            *_, seed = TOLD.finditer(request.messages[-1].content)
            values = {**seed.groupdict(), "c": int(seed["a"]) + int(seed["b"])}
            yield Reply(request.key(self.fingerprint), REPLY.format(**values), usage=Usage(600, 200))


class Bench:
    """One size's store, and the stages in it by name."""

    def __init__(self, root: Path, n: int) -> None:
        from orcamath.store.artifacts import Store

        self.store, self.root, self.n = Store(root), root, n

    def made(self, name: str, make: Callable[[Any], Any] = lambda _: None, *inputs: Any, settings: Any = None) -> Any:
        """Return a stage's result, made by `make` where it is not there."""
        return self.store.stage(name, 1, settings, [str(self.n), *inputs], make)

    def prepare(self) -> None:
        """Write the seeds."""
        from orcamath.records import Problem

        rows = (
            Problem.make(SEED.format(**t), "seed", "scale", answer=str(t["c"]), answer_from="gold")
            for t in told(self.n)
        )
        sealed(self.store, "seeds", [str(self.n)], problems=rows)

    def ask(self) -> dict[str, Any]:
        """Have the writer make problems of all seeds."""
        with self.writer() as writer:
            made = self.asked("ask", writer)
        return {"kept": made.balance["kept"], "bytes_per_call": self.bytes_per_call()}

    def bytes_per_call(self) -> int:
        """Return what a call takes in the ledger."""
        return round(sum(f.stat().st_size for f in (self.root / "ledger").iterdir()) / self.n)

    def remember(self) -> dict[str, Any]:
        """Bring every call into the ledger, and read none."""
        with self.writer() as writer:
            self.filled(writer)
        return {"bytes_per_call": self.bytes_per_call()}

    def filled(self, writer: Any) -> float:
        """Let the ledger have every call; returns the CPU seconds that took."""
        from orcamath.agents.ask_me_anything import AskSettings, make
        from orcamath.records import Problem

        agent, seeds = make(AskSettings()), self.made("seeds")
        began = time.process_time()
        assert writer.fill(agent.request(seed, 0) for seed in seeds.read(Problem)) == []
        return time.process_time() - began

    def again(self) -> dict[str, Any]:
        """Find every call in the ledger, then make the stage anew of what is remembered."""
        with self.writer() as writer:
            scanned = self.filled(writer)
            made = self.asked("again", writer)
        assert made.balance["kept"] == 2 * self.n, "both numbers of every seed are asked for"
        return {"kept": made.balance["kept"], "scan_s_per_million": round(scanned / self.n * 1e6, 1)}

    def collect(self) -> dict[str, Any]:
        """Put seeds and their children together."""
        from orcamath.stages.collect import CollectSettings, collect

        parts, settings = [self.made("seeds"), self.asked("ask", None)], CollectSettings()
        made = self.made("collect", lambda out: collect(out, settings, parts))
        return {"problems": sum(p.count("problems") for p in parts), "kept": made.balance["kept"]}

    def gate(self) -> dict[str, Any]:
        """Search the lessons for benchmark questions."""
        from orcamath.stages.gate import GateSettings, gate

        taught, tests, settings = self.made("teach"), self.made("benchmarks"), GateSettings()
        made = self.made("gate", lambda out: gate(out, settings, taught, tests, []))
        return {"lessons": taught.count("lessons"), "kept": made.balance["kept"]}

    def preferences(self) -> dict[str, Any]:
        """Make preferences of the judged samples."""
        from orcamath.stages.preferences import PreferSettings, prefer

        judged, settings = self.made("judge"), PreferSettings()
        made = self.made("preferences", lambda out: prefer(out, settings, judged, judged))
        return {"samples": judged.count("attempts"), "kept": made.balance["kept"]}

    def export(self) -> dict[str, Any]:
        """Write the lessons in the hub's form."""
        from orcamath.export.whole import export_table

        return {"rows": export_table({"gate": self.made("gate")}, "lessons", "hub", self.root / "set").n}

    def lessons(self) -> None:
        """Write a lesson for every seed, and the questions of a benchmark."""
        from orcamath.records import Lesson, Problem

        source, tests = self.made("collect"), contamination.texts(TESTS, 1)

        def taught(out: Any) -> None:
            rows = (p for p, _ in zip(source.read(Problem), range(self.n), strict=False))
            out.keep(out.write("lessons", (Lesson.make(p, "So it is.\n#### 1", "1", "scale") for p in rows)))

        self.made("teach", taught)
        sealed(self.store, "benchmarks", [str(self.n)], problems=(Problem.make(t, "seed", "tests") for t in tests))

    def samples(self) -> None:
        """Write judged samples of a problem for every seed."""
        from orcamath.records import Attempt, Exercise, Verdict

        def tries() -> Iterator[Any]:
            for i in range(self.n):
                for k in range(SAMPLES):
                    text = f"so it is {k}\n#### {k}"
                    yield Attempt.make(f"{i:032x}", k, text, "student", token_ids=None, finish_reason="stop")

        fixed: dict[str, Any] = {"reference": "1", "label": "teacher", "solution": "1 = 1\n#### 1"}
        rows = ((f"{i:032x}", SEED.format(**t)) for i, t in enumerate(told(self.n)))
        posed = (Exercise(problem_id=i, question=text, **fixed) for i, text in rows)
        said = ("disagrees", "agrees", "disagrees", "disagrees")
        verdicts = (
            Verdict(attempt_id=t.id, problem_id=t.problem_id, outcome=said[t.draw], by="rules") for t in tries()
        )
        sealed(self.store, "judge", [str(self.n)], exercises=posed, attempts=tries(), verdicts=verdicts)

    def asked(self, name: str, writer: Any) -> Any:
        """Return what was made of the seeds, under a name."""
        from orcamath.agents.ask_me_anything import AskSettings
        from orcamath.stages.ask import ask

        seeds, settings = self.made("seeds"), AskSettings()
        return self.made(name, lambda out: ask(out, settings, seeds, writer), seeds, settings=settings)

    @contextmanager
    def writer(self) -> Iterator[Any]:
        """Lend the writer with the ledger in front of it."""
        from orcamath.store.ledger import Ledger, Remembered

        ledger = Ledger(self.root / "ledger")
        yield Remembered(Writer(), ledger)
        ledger.close()


MEASURED = ("ask", "again", "collect", "gate", "preferences", "export")
ORDER = ("prepare", "ask", "remember", "again", "collect", "lessons", "gate", "samples", "preferences", "export")
NEEDS = {
    "ask": {"prepare"},
    "remember": {"prepare"},
    "again": {"prepare", "remember"},
    "collect": {"prepare", "ask"},
    "gate": {"prepare", "ask", "collect", "lessons"},
    "preferences": {"samples"},
    "export": {"prepare", "ask", "collect", "lessons", "gate"},
}
