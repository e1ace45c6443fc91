"""Every agent with a real model on real seeds: acceptance per stage, rejections by reason with an example, share verified.

    python benchmarks/real_agents.py --model FOLDER_OR_GGUF [--seeds 40] [--solutions 3] [--out FOLDER]
    python benchmarks/real_agents.py --model FOLDER --http …                                     the same behind our server
    python benchmarks/real_agents.py --base-url http://localhost:8000/v1 --model NAME …         any other server

Seeds are the first GSM8K train problems in hashed order, from the folder named by ORCAMATH_TEST_DATA. Run it twice with the same
--out and only what is new is asked.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from figures import report
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.backends import openai_compatible, transformers_local
from orcamath.records import Lesson, Problem, Rejected, digest
from orcamath.settings import ModelSettings
from orcamath.stages.ask import ask
from orcamath.stages.collect import CollectSettings, collect
from orcamath.stages.edit import EditSettings, edit
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.testing import of_chat, serve
from real_sets import gsm8k
from sealing import sealed


def seeds_of(n: int) -> Iterator[Problem]:
    """Yield n train problems of GSM8K in hashed order."""
    rows = gsm8k("train")
    if not rows:
        sys.exit("set ORCAMATH_TEST_DATA to the folder with the real problem sets")
    for row in sorted(rows, key=lambda r: digest(r.question))[:n]:
        yield Problem.make(row.question, "seed", "gsm8k", answer=row.answer, answer_from="gold", licence="MIT")


def books_of(made: Artifact, seconds: float, examples: int) -> dict[str, Any]:
    """Return a stage's books; says examples of every reason."""
    print(f"\n== {made.stage}")
    shown = Counter[str]()
    for rejected in made.read(Rejected):
        shown[rejected.reason] += 1
        if shown[rejected.reason] <= examples:
            print(f"   - {rejected.reason} {rejected.detail}: {' / '.join(rejected.text.split(chr(10)))[:700]}")
    said = ("agents", "failed_calls", "verified", "checks", "duplicates", "rounds")
    facts = {key: made.facts[key] for key in said if key in made.facts}
    return {"balance": made.balance, "seconds": round(seconds), "rejected": dict(shown.most_common()), **facts}


def here(model: str, rows: int, dtype: str) -> Any:
    """Open a folder or a GGUF file in this process."""
    options: dict[str, Any] = {"chunk": rows, "rows": rows, "dtype": dtype}
    return transformers_local.open_chat(ModelSettings(backend="transformers_local", model=model, options=options))


def elsewhere(model: str, base_url: str, concurrency: int) -> Any:
    """Open what a server serves."""
    wire = {"concurrency": concurrency, "timeout_s": 3600.0, "api_key_env": None}
    return openai_compatible.open_chat(ModelSettings.model_validate({"model": model, "base_url": base_url, **wire}))


def opened(args: argparse.Namespace, until: ExitStack) -> Any:
    """Open the model: here, here behind a server of ours, or behind another server."""
    base_url = args.base_url
    if not base_url:
        local = here(args.model, args.chunk, args.dtype)
        if not args.http:
            return local
        base_url = until.enter_context(serve(of_chat(local, batch=args.chunk), threads=args.chunk)).base_url
    return elsewhere(args.model, base_url, args.chunk)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Open the model and run the stages."""
    with ExitStack() as until:
        return run(args, opened(args, until))


def run(args: argparse.Namespace, model: Any) -> dict[str, Any]:
    """Run the stages in turn."""
    figures: dict[str, Any] = {"model": args.model}
    store = Store(Path(args.out))
    chat = Remembered(model, Ledger(Path(args.out) / "ledger"))
    few, n = args.max_new_tokens, args.solutions

    told = {"max_new_tokens": 80, "tries": args.tries}
    asked_for = {"max_new_tokens": 50, "tries": args.tries}
    a = AskSettings.model_validate(
        {"max_new_tokens": 2 * few, "tries": args.tries, "calls": args.calls, "statement": told, "question": asked_for}
    )
    short = {"max_new_tokens": 120, "tries": args.tries, "ideas": args.edits == "added"}
    edits = {"max_new_tokens": few, "tries": args.tries, "writes": args.edits}
    e = EditSettings.model_validate({"suggester": short, "editor": edits})
    t = TeachSettings(max_new_tokens=args.solution_tokens or few, solutions=n, temperature=0.7 if n > 1 else 0.0)
    source = sealed(store, "seeds", [str(args.seeds)], problems=seeds_of(args.seeds))
    parts, began = [source], time.monotonic()
    if "ask" in args.stages:
        asked = store.stage("ask", ask.version, a, [source, chat, *a.contents()], lambda o: ask(o, a, source, chat))
        parts.append(asked)
        figures["ask"] = books_of(asked, time.monotonic() - began, args.examples)
    began = time.monotonic()
    if "edit" in args.stages:
        edited = store.stage("edit", edit.version, e, [source, chat, *e.contents()], lambda o: edit(o, e, source, chat))
        parts.append(edited)
        figures["edit"] = books_of(edited, time.monotonic() - began, args.examples)
    if "teach" not in args.stages:
        return figures
    collected = store.stage("collect", collect.version, None, parts, lambda o: collect(o, CollectSettings(), parts))
    figures["collect"] = books_of(collected, 0, args.examples)
    began = time.monotonic()
    inputs = [collected, chat, *t.contents()]
    taught = store.stage("teach", teach.version, t, inputs, lambda o: teach(o, t, collected, chat))
    figures["teach"] = books_of(taught, time.monotonic() - began, args.examples)
    by_origin = Counter(f"{lesson.origin}, {lesson.verified}" for lesson in taught.read(Lesson))
    for i, problem in enumerate(p for p in collected.read(Problem) if p.origin != "seed"):
        print(f"{i + 1}. [{problem.origin} {problem.round}] {problem.question} → {problem.answer}")
    return figures | {"lessons": dict(sorted(by_origin.items()))}


def options(parser: argparse.ArgumentParser) -> None:
    """The model, how its agents ask, and how much."""
    parser.add_argument("--model", required=True)
    parser.add_argument("--base-url")
    parser.add_argument("--http", action="store_true", help="put our own server between the agents and the model")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--solutions", type=int, default=1)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--calls", choices=["one", "each"], default="each", help="how Ask-Me-Anything asks")
    parser.add_argument("--edits", choices=["whole", "added"], default="added", help="what the editor writes")
    parser.add_argument("--max-new-tokens", type=int, default=300)
    parser.add_argument("--solution-tokens", type=int, help="of the teacher; as --max-new-tokens where left out")
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--examples", type=int, default=1)
    parser.add_argument("--stages", nargs="*", default=["ask", "edit", "teach"])
    parser.add_argument("--out", default="runs/real-agents")


if __name__ == "__main__":
    report(__doc__, options, measure)
