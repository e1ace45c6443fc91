"""Stage `agent NAME`: the problems that an agent of the user's makes of the seeds. The paper has two; more can stand beside them.

In: seeds, and whatever follows the `Agent` port. Out: table `problems`. Whatever the agent says of them, its problems carry
its name as their origin, their seed's id, source, split, licence and cluster, so that ancestry, splits and the data card hold.
A problem that keeps its seed's answer keeps the kind, the choices and the origin of that answer too, but for what the agent
says of them itself.
"""

from collections.abc import Iterable

from orcamath.agents.driver import Agent, write
from orcamath.agents.few_kept import with_few_told
from orcamath.agents.settings import AgentSettings
from orcamath.ports import Reply, Request
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["AgentSettings", "invent"]


@stage("agent", version=3, settings=AgentSettings, facts=Facts)
def invent(
    out: Output, settings: AgentSettings, seeds: Artifact, writer: Remembered, agent: Agent[Problem, Problem]
) -> Facts:
    """Write what the agent makes of every seed."""

    def problems() -> Iterable[Problem]:
        return seeds.read(Problem)

    total = seeds.count("problems")
    write(_Signed(agent, settings.title), problems, writer, out, tries=settings.tries, total=total)
    return with_few_told(Facts(), out)


class _Signed:
    """An agent whose problems say whose they are and what they come from."""

    def __init__(self, agent: Agent[Problem, Problem], name: str) -> None:
        self.agent, self.name = agent, name

    def request(self, item: Problem, draw: int) -> Request:
        """Ask what the agent asks."""
        return self.agent.request(item, draw)

    def parse(self, reply: Reply, item: Problem) -> Iterable[Problem | Rejected] | Rejected:
        """Read as the agent reads, and sign what it made."""
        found = self.agent.parse(reply, item)
        if isinstance(found, Rejected):
            return found
        return [self._signed(x, item) if isinstance(x, Problem) else x for x in found]

    def _signed(self, made: Problem, seed: Problem) -> Problem:
        fields = made.model_dump(include={"answer", "answer_kind", "answer_from", "options", "solution", "target"})
        if made.answer is not None and made.answer == seed.answer:
            kept = {"answer_kind", "answer_from", "options"} - made.model_fields_set
            fields |= seed.model_dump(include=kept)
        if fields["answer_from"] != "gold" and made.target is None:
            fields["target"] = (
                made.answer
            )  # what only an agent knows is a number that it hid: lessons tell it by the target
        return Problem.make(
            made.question,
            self.name,
            seed.source,
            parents=(seed.id,),
            round=1,
            split=seed.split,
            licence=seed.licence,
            cluster=seed.cluster,
            **fields,
        )
