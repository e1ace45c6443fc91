"""`orcamath init`: looks at somebody's own problems and writes a commented recipe for them.

In: files, folders or hub sets; a teacher's name. Out: the recipe's file, and lines that say what was seen. Every commented line
of the recipe that begins with `#` and no blank can be uncommented, one or all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from orcamath.commands.files import mapped_columns
from orcamath.commands.models import with_key
from orcamath.errors import UsageError
from orcamath.recipe_file import load
from orcamath.settings import fault_in
from orcamath.sources.choosing import SharesSettings
from orcamath.sources.look import FirstLook, drawn, look_all
from orcamath.sources.source import SourceSettings
from orcamath.store.hosts import OPENAI, belongs, host_named, is_loopback
from orcamath.store.names import fitting
from orcamath.text.columns import columns_in
from orcamath.visible import one_line
from orcamath.yaml_reader import read_yaml

__all__ = ["write_starter"]

TEMPLATE = """\
# Your recipe. Run it:   orcamath run ${out} --limit 10 --until teach     (ten seeds first: read what the agents write)
#                         orcamath run ${out}
# Lines that begin with # and no blank can be uncommented. Everything left out has a default; `orcamath run` writes the
# resolved recipe into runs/${name}/recipe.yaml, and `orcamath schema` prints what each setting does.
name: ${name}
version: 1

seeds:${shares}
  sources:
${seeds}
${benchmarks}

# The teacher solves every problem and, as no `writer` is named, also plays the agents.
teacher:
${teacher}
#writer: ${flow_teacher}
${budget}
ask_me_anything: {}                # one problem for every number of a seed
suggester_editor: {rounds: 2}      # two rounds of harder ones
teach:
  max_new_tokens: 1024
  #max_problems: 1000              # how many are taught, and so paid for
  #verify: {gold: drop}            # solutions that do not reach the answer known with the problem are left out
#confirm: {solutions: 2}           # solve problems that were not taught too, so that practice may use them

gate: {policy: drop}               # lessons that overlap with a benchmark are dropped

student: {base: ${student}}
#base_shown: [0, 4]                # measure the untrained student too, without and after four worked lessons
imitate: {learning_rate: 1.0e-5, epochs: 1, batch_size: 32}

practice: {samples: 4, temperature: 0.7, top_p: 0.95}
judge: {name: cascade}             # rules, then math-verify
#judge_model: ${flow_teacher}
learn: {loss: kto, beta: 0.3, learning_rate: 1.0e-6}
iterations: [{}, {learn: {learning_rate: 1.0e-7}}]   # one entry a round of practice
#repeat: [0, 1, 2]                 # train with three seeds and report the mean
#variants: {dpo: {learn: {loss: dpo}}}   # a second arm beside this one, sharing all that it has in common
"""
MAX_MEASURED = 200
"""Benchmark problems that a starter measures on: enough to see whether it works, and minutes for a small student."""


class _Divided(NamedTuple):
    """What is grown from, what is measured on, and why."""

    seeds: tuple[SourceSettings, ...]
    benchmarks: tuple[SourceSettings, ...]
    why: str
    share: int | None = None
    """Per cent of the clusters that are for testing, where that is drawn and not the default."""


def write_starter(
    out: Path,
    *,
    seeds: Sequence[str],
    teacher: str,
    base_url: str | None,
    student: str,
    columns: Sequence[str] = (),
    api_key_env: str | None = None,
) -> Iterator[str]:
    """Look at the data, write the recipe, check that it reads back, and yield what was seen, a line at a time.

    `columns` are `OURS=THEIRS`, each for the sets that have THEIRS. Raises UsageError where the file exists, no set has a column
    named so, or there is nothing to grow from, DataError where the data cannot be read.
    """
    if out.exists():
        raise UsageError(f"`{out}` exists already; name another file with --out")
    model = _teacher(teacher, base_url, api_key_env)
    told = mapped_columns(columns, "question=my_column")
    seen = look_all(seeds, told)
    divided = _divided(seen)
    values = {
        "out": str(out),
        "name": _quoted(fitting(out.stem) or "mine"),
        "student": _quoted(student),
        "seeds": "\n".join(line for one in seen for line in _source_lines(one, divided.seeds)),
        "shares": f"\n  shares: {{test: {divided.share}}}" if divided.share is not None else "",
        "benchmarks": "\n".join(_benchmark_lines(divided)),
        "teacher": "\n".join(_teacher_lines(model, base_url)),
        "flow_teacher": _flow(model),
        "budget": _budget_line(model),
    }
    text = Template(TEMPLATE).substitute(values)
    content = read_yaml(text, str(out)).value
    assert isinstance(content, dict)
    load(content)  # a key in it is refused before anything is written
    out.write_text(text, encoding="utf-8")
    for one in seen:
        yield from _told(one)
    yield f"to be measured on: {divided.why}"
    if "base_url" in model and "api_key_env" not in model:
        yield f"no key goes to {_host(str(model['base_url']))}; if it needs one, name its variable: --api-key-env NAME"


def _divided(seen: Sequence[FirstLook]) -> _Divided:
    """Measure on the sets' own test problems where there are some, else on a part drawn by near-duplicate cluster."""
    own = [one for one in seen if "test" in one.splits and set(one.kinds) != {"none"}]
    grown = tuple(one.settings for one in seen if set(one.splits) != {"test"})
    if not grown:
        raise UsageError(
            "all of these problems are test problems, which nothing is grown from; name a training file with --seeds"
        )
    if own:
        tests = tuple(one.settings.model_copy(update={"split": "test"}) for one in own)
        return _Divided(
            grown, tests, f"{sum(o.splits['test'] for o in own):,} problems of {_titles(tests)} that are for testing"
        )
    parts = drawn(seen)
    if parts is None:
        known = any(set(one.kinds) != {"none"} for one in seen)
        why = "they are too alike, or too few" if known else "no answers are known"
        return _Divided(grown, (), f"nothing, since {why}; name a benchmark, or the run ends unmeasured")
    both = tuple(s.model_copy(update={"options": {**s.options, "draw_split": True}}) for s in grown)
    why = (
        f"{parts.n_test:,} of {parts.n_test + parts.n_rest:,} problems, drawn by cluster of near-duplicates ({parts.share} % of "
        f"these): none is a twin of a seed"
    )
    tests = tuple(s.model_copy(update={"split": "test"}) for s in both)
    return _Divided(both, tests, why, parts.share if parts.share != SharesSettings().test else None)


def _titles(sources: Sequence[SourceSettings]) -> str:
    return ", ".join(f"`{s.title}`" for s in sources)


# what is said


def _told(seen: FirstLook) -> Iterator[str]:
    """Yield what was seen of one set, with its first three problems."""
    yield " ".join(_about(seen))
    yield f"  columns: {_mapped(seen)}"
    for problem in seen.rows:
        yield f"  {one_line(problem.question, 110)} → {one_line(problem.answer or 'no answer', 40)}"
    if seen.bad:
        yield f"  {_bad(seen)}"


def _about(seen: FirstLook) -> Iterator[str]:
    options = seen.settings.options
    yield f"{seen.settings.path or options.get('dataset')}: {'' if seen.whole else 'the first '}{seen.n:,} problems;"
    if "encoding" in options:
        yield f"encoding {options['encoding']};"
    if "delimiter" in options:
        yield f"columns parted by {options['delimiter']!r};"
    if "answers_from" in options:
        counted = options["answers_from"]
        yield f"numbers that answer {'are a choice' if counted == 'text' else f'count the choices from {counted}'};"
    yield f"answers: {_counts(seen.kinds)}; language: {_counts(seen.languages)}"


def _mapped(seen: FirstLook) -> str:
    ours = {name: ours for ours, theirs in seen.settings.columns.items() for name in columns_in(theirs)}
    said = {**{c: f" ({why}, not taken)" for c, why in seen.left.items()}, **{c: f" → {o}" for c, o in ours.items()}}
    return ", ".join(one_line(c, 40) + said.get(c, "") for c in seen.columns)


def _bad(seen: FirstLook) -> str:
    first = seen.bad[0]
    n = f"{len(seen.bad):,} row{'s are' if len(seen.bad) > 1 else ' is'}"
    return f"{n} no problem and left out, the first: {one_line(f'{first.item} {first.detail}', 160)}"


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counted.items()) or "none"


# what is written


def _source_lines(seen: FirstLook, chosen: Sequence[SourceSettings]) -> Iterator[str]:
    yield f"    # {one_line(' '.join(_about(seen)), 200)}"
    yield f"    # columns: {_mapped(seen)}"
    if seen.bad:
        yield f"    # {_bad(seen)}"
    read = {"split": seen.settings.split, "options": seen.settings.options}  # the rest is what it was called by
    own = next((s for s in chosen if s.model_copy(update=read) == seen.settings), None)
    if own is not None:
        yield f"    - {_flow(_given(own))}"


def _benchmark_lines(divided: _Divided) -> Iterator[str]:
    yield f"# Measured on: {divided.why}."
    if not divided.benchmarks:
        yield "#benchmarks: {sources: [gsm8k], limit: 200}     # GSM8K's test problems, from the hub (extra `hub`)"
        return
    yield "benchmarks:"
    yield f"  limit: {MAX_MEASURED}                       # at most so many of each; leave it out to measure on all"
    yield "  sources:"
    yield from (f"    - {_flow(_given(s))}" for s in divided.benchmarks)
    yield "    #- gsm8k                       # GSM8K's test problems too, from the hub (extra `hub`)"


def _given(settings: SourceSettings) -> dict[str, object]:
    return settings.model_dump(mode="json", exclude_defaults=True)


def _teacher(name: str, base_url: str | None, api_key_env: str | None) -> dict[str, object]:
    if Path(name).exists() or name.endswith(".gguf"):
        return {"backend": "transformers_local", "model": name, **with_key(api_key_env, [])}
    url = base_url or OPENAI
    model = {"backend": "openai_compatible", "model": name, "base_url": url, **with_key(api_key_env, [url])}
    if api_key_env is None and (usual := _key_of(url)) is not None:
        model["api_key_env"] = usual
    return model | ({"options": {"price": [0, 0]}} if _loopback(base_url) else {})


_KEYS = {
    "openai.com": "OPENAI_API_KEY",
    "openai.azure.com": "OPENAI_API_KEY",
    "anthropic.com": "ANTHROPIC_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
    "mistral.ai": "MISTRAL_API_KEY",
    "deepseek.com": "DEEPSEEK_API_KEY",
    "groq.com": "GROQ_API_KEY",
    "together.xyz": "TOGETHER_API_KEY",
    "fireworks.ai": "FIREWORKS_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
    "x.ai": "XAI_API_KEY",
    "huggingface.co": "HF_TOKEN",
}
"""Domain → the variable in which its own documents put a key."""


def _key_of(url: str) -> str | None:
    """Return the usual variable of a host's key, of this machine OpenAI's; None for a host that we do not know."""
    if _loopback(url):
        return _KEYS["openai.com"]
    return next((key for domain, key in _KEYS.items() if belongs(_host(url), domain)), None)


def _loopback(base_url: str | None) -> bool:
    return base_url is not None and is_loopback(_host(base_url))


def _host(url: str) -> str:
    return "" if fault_in(url) else host_named(url)  # a faulty one is refused with the recipe


_SAID = {
    "api_key_env": "the key stays in the environment",
    "options": "US dollars per million tokens; yours to say, if that server leads on to a paid one",
}


def _teacher_lines(model: Mapping[str, object], base_url: str | None) -> Iterator[str]:
    for key, value in model.items():
        line = f"  {key}: {_flow(value)}"
        yield f"{line:<34} # {_SAID[key]}" if key in _SAID else line
    if "base_url" in model and "api_key_env" not in model:
        yield f"{'  #api_key_env: MY_API_KEY':<34} # the variable that holds a key of this host; without it none is sent"
    if base_url is not None and "options" not in model:
        yield "  #options: {price: [2.5, 10]}     # US dollars per million tokens in and out, where no list knows them"


def _budget_line(model: Mapping[str, object]) -> str:
    """Return a cap: one that holds where calls may cost money, else one to be uncommented."""
    paid = "base_url" in model and "options" not in model
    line = f"{'' if paid else '#'}budget: {{cap_usd: 5}}"
    return (
        f"{line:<34} # a hard cap on what all models together may cost, in US dollars; raise it when you have read some"
    )


def _flow(value: object) -> str:
    """Write plain values as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """Return a text as YAML has it: bare where that is safe, else quoted; with escapes where it holds more than can be seen."""
    if text.replace("_", "").isascii() and text.replace("_", "a").isalpha() and text.lower() not in _WORDS:
        return text
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)


_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
