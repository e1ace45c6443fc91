"""Losses, agents and screens that ship keep what their families promise; and each check finds who does not."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch

from orcamath.agents import ask_me_anything, editor, solver, suggester
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.editor import EditorSettings
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.agents.suggester import Suggested, SuggesterSettings
from orcamath.families import find, members
from orcamath.ports import Comparison, Finding, Message, Request
from orcamath.records import Problem, Rejected
from orcamath.sources.source import SourceSettings
from orcamath.student.losses import Batch, Loss
from orcamath.testing import check_agent, check_judge, check_loss, check_screen, check_source

SEED = Problem.make("Tom has 3 pens and buys 4 pens. How many pens has Tom now?", "seed", "test", answer="7")
ASKED = (
    "<statement>Tom has 3 pens and buys 4 pens, so Tom has 7 pens now.</statement>"
    "<target>3</target><question>Tom has some pens and buys 4 pens. He has 7 pens now. How many had he?</question>"
)
HARDER = (
    "<edited_problem>Tom has 3 pens and buys 4 pens. He gives 2 pens away. How many pens has Tom now?</edited_problem>"
)
AGENTS: dict[str, tuple[Any, Any, str]] = {
    "ask_me_anything": (ask_me_anything.make(AskSettings()), SEED, ASKED),
    "suggester": (
        suggester.make(SuggesterSettings()),
        SEED,
        "<suggestion>Let Tom give some of the pens away.</suggestion>",
    ),
    "editor": (editor.make(EditorSettings()), Suggested(SEED, ("Let him give some away.",)), HARDER),
    "solver": (solver.make(SolverSettings()), Assignment(SEED), "3 + 4 = 7\n#### 7"),
}


@pytest.mark.parametrize("name", members("loss"))
def test_losses(name: str) -> None:
    check_loss(find("loss", name).loss)


@pytest.mark.parametrize("name", AGENTS)
def test_agents(name: str) -> None:
    agent, item, reply = AGENTS[name]
    check_agent(agent, [item], [reply])


@pytest.mark.parametrize("name", members("screen"))
def test_screens(name: str) -> None:
    for screen in find("screen", name).make():
        check_screen(screen, [SEED.question])


class Wrong:
    """Stands for a member that breaks one law: it does what it is told."""

    fingerprint = reason = name = "wrong"

    def __init__(self, **does: Any) -> None:
        vars(self).update(does)

    def __call__(self, given: Any) -> Any:
        return vars(self)["call"](given)


def findings(*outcomes: str) -> Callable[[Any], Any]:
    return lambda comparisons: [Finding(o, "me", "why") for o, _ in zip(outcomes, comparisons, strict=False)]  # type: ignore[arg-type]


def agent(request: Any = None, parse: Any = None) -> Any:
    ask = request or (lambda item, draw: Request((Message("user", item.question),), draw=draw))
    return Wrong(request=ask, parse=parse or (lambda reply, item: [item]))


def sloped(total: Callable[[Batch], torch.Tensor]) -> Callable[..., Loss]:
    return lambda batch, settings: Loss(total(batch))


def source(*batches: Any) -> Any:
    """A reader that yields one batch after the other, each time it is asked; the last for good."""
    left = list(batches)
    return lambda settings: iter(left.pop(0) if len(left) > 1 else left[0])


def moody() -> Callable[[Any], Any]:
    """A function that says something else each time."""
    said = count()
    return lambda _: f"for the {next(said)}th time"


COMPARED = (Comparison("q", "9", "9"), Comparison("q", "9", "8"))
LICENSED = Problem.make("How many?", "seed", "test", licence="CC0")
BREAKS: dict[str, tuple[Callable[[], None], str]] = {
    "too few findings": (lambda: check_judge(Wrong(call=findings("agrees")), COMPARED), "one finding a comparison"),
    "an outcome of its own": (
        lambda: check_judge(Wrong(call=findings("agrees", "wrong")), COMPARED),
        "no outcome is called",
    ),
    "all is right": (
        lambda: check_judge(Wrong(call=findings("agrees", "agrees")), COMPARED),
        "what is wrong disagrees",
    ),
    "no name": (lambda: check_judge(Wrong(call=findings(), fingerprint=""), COMPARED), "names what decides"),
    "a finding of nothing": (
        lambda: check_judge(Wrong(call=lambda _: [Finding("agrees", "me")]), COMPARED),
        "no comparison, no finding",
    ),
    "nobody's": (
        lambda: check_judge(Wrong(call=lambda found: [Finding("agrees", "") for _ in found]), COMPARED),
        "who decided",
    ),
    "all is wrong": (
        lambda: check_judge(Wrong(call=findings("disagrees", "disagrees")), COMPARED),
        "what is right agrees",
    ),
    "by place": (
        lambda: check_judge(Wrong(call=findings("agrees", "disagrees")), COMPARED),
        "order of the comparisons",
    ),
    "nothing": (lambda: check_source(source([]), SourceSettings(name="x")), "holds something"),
    "something else each time": (lambda: check_source(source([LICENSED], []), SourceSettings(name="x")), "read twice"),
    "twice": (lambda: check_source(source([LICENSED, LICENSED]), SourceSettings(name="x")), "there once"),
    "asks otherwise each time": (
        lambda: check_agent(agent((lambda say: lambda i, d: Request((Message("user", say(i)),)))(moody())), [SEED], []),
        "ask the same",
    ),
    "asks nothing": (lambda: check_agent(agent(lambda i, d: Request(token_ids=(1,))), [SEED], []), "has messages"),
    "reads otherwise each time": (
        lambda: check_agent(agent(parse=(lambda say: lambda r, i: [say(i)])(moody())), [SEED], ["x"]),
        "is read the same way",
    ),
    "a mood": (lambda: check_screen(Wrong(call=moody()), ["q"]), "the same question, the same answer"),
    "a list": (lambda: check_source(lambda s: [SEED], SourceSettings(name="x")), "returns an iterator"),  # type: ignore[arg-type,return-value]
    "no licence": (lambda: check_source(lambda s: iter([SEED]), SourceSettings(name="x")), "licence"),
    "draws alike": (
        lambda: check_agent(agent(lambda i, d: Request((Message("user", "x"),))), [SEED], ["x"]),
        "carries its draw",
    ),
    "text back": (lambda: check_agent(agent(parse=lambda r, i: r.text), [SEED], ["x"]), "results, not text"),
    "another item": (
        lambda: check_agent(agent(parse=lambda r, i: Rejected(item="?", reason="no")), [SEED], ["x"]),
        "names its item",
    ),
    "never anything": (
        lambda: check_agent(agent(parse=lambda r, i: Rejected(item=i.id, reason="no")), [SEED], ["x"]),
        "something can be made",
    ),
    "a sentence for a reason": (lambda: check_screen(Wrong(call=lambda q: None, reason="About pens!")), "is a slug"),
    "empty for no": (lambda: check_screen(Wrong(call=lambda q: "")), "it says why, or None"),
    "own mean": (lambda: check_loss(sloped(lambda b: (b.logp - b.reference).exp().mean())), "parts of a step"),
    "no scalar": (lambda: check_loss(sloped(lambda b: b.logp)), "scalar"),
    "no gradient": (lambda: check_loss(sloped(lambda b: b.logp.detach().sum())), "depends on the log-probs"),
}


@pytest.mark.parametrize("law", BREAKS)
def test_a_check_names_the_law_that_is_broken(law: str) -> None:
    broken, says = BREAKS[law]
    with pytest.raises(AssertionError, match=says):
        broken()
