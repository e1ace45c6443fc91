"""Collect: all problems in one table, each of them once.

Pass one keeps a few bytes a problem. Exact: equal text after normalising (case, punctuation, spaces), or equal id. The
first in input order stays; every drop points to what it repeats.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from orcamath.agents.driver import keep
from orcamath.agents.wellformed import normal
from orcamath.ports import Progress
from orcamath.records import Problem, Rejected, Settings
from orcamath.store.artifacts import Artifact, Output

__all__ = ["VERSION", "CollectSettings", "collect"]

VERSION = 1


class CollectSettings(Settings):
    """Settings of collecting."""


def collect(out: Output, settings: CollectSettings, parts: Sequence[Artifact], progress: Progress) -> None:
    """Write every problem of the parts that no earlier one says already."""
    seen: dict[bytes, str] = {}

    def kept() -> Iterator[Problem]:
        for part in parts:
            for problem in part.read(Problem):
                progress.advance()
                out.balance.results += 1
                key = blake2b(normal(problem.question).encode(), digest_size=12).digest()
                if (first := seen.setdefault(key, problem.id)) != problem.id or seen.get(problem.id.encode()):
                    out.reject(Rejected(item=problem.id, reason="duplicate_text", text=problem.question, repeats=first))
                    continue
                seen[problem.id.encode()] = problem.id
                keep(out)
                yield problem

    del settings
    progress.begin("collect", sum(part.count("problems") for part in parts))
    out.write("problems", kept())
    progress.end()
