"""`orcamath init`: a commented recipe for somebody's own seeds and teacher."""

from pathlib import Path
from string import Template

from orcamath.errors import UsageError
from orcamath.recipe_file import load
from orcamath.store.hosts import host_of, is_loopback

__all__ = ["write_starter"]

TEMPLATE = """\
# Your recipe. Run it:   orcamath run ${out} --limit 10     (ten seeds first: read what the agents write)
#                         orcamath run ${out}
# Everything left out has a default; `orcamath run` writes the resolved recipe into runs/${name}/recipe.yaml.
name: ${name}
version: 1

seeds:
  sources:
    # any JSONL, CSV or Parquet; `columns` maps ours (question, answer, ...) to yours
    - {name: file, path: ${seeds}, split: train, columns: {question: question, answer: answer}}
# Measure on problems that are nowhere among the seeds. Uncomment and name yours (or gsm8k with a path):
benchmarks:
  sources: []
  #  - {name: file, called: held-out, path: held-out.jsonl, split: test}

# The teacher solves every problem and, as no `writer` is named, also plays the agents.
teacher:
${teacher}
ask_me_anything: {}                # one problem for every number of a seed
suggester_editor: {rounds: 2}      # two rounds of harder ones
teach: {max_new_tokens: 1024}      # max_problems: N limits what is paid for

gate: {policy: drop}               # lessons that overlap with a benchmark are dropped

student: {base: ${student}}
imitate: {learning_rate: 1.0e-5, epochs: 1, batch_size: 32}

practice: {samples: 4, temperature: 0.7, top_p: 0.95}
judge: {name: cascade}             # rules, then math-verify; add judge_model: {...} to ask a model about the rest
learn: {loss: kto, beta: 0.3, learning_rate: 1.0e-6}
iterations: [{}, {learn: {learning_rate: 1.0e-7}}]   # one entry a round of practice
"""


_FREE = "  options: {price: [0, 0]}         # US dollars per million tokens; yours to say, if that server leads on to a paid one"


def write_starter(out: Path, *, seeds: Path, teacher: str, base_url: str | None, student: str) -> None:
    """Write the recipe and check that it reads back. Raises UsageError where the file exists or the seeds do not."""
    if out.exists():
        raise UsageError(f"`{out}` exists already; name another file with --out")
    if not seeds.is_file():
        raise UsageError(f"there are no seeds at `{seeds}`")
    local = Path(teacher).exists() or teacher.endswith(".gguf")
    lines = (
        [f"  backend: transformers_local\n  model: {_quoted(teacher)}"] if local else
        [
            f"  backend: openai_compatible\n  model: {_quoted(teacher)}",
            f"  base_url: {_quoted(base_url or 'https://api.openai.com/v1')}",
            "  api_key_env: OPENAI_API_KEY      # the key stays in the environment",
            *([_FREE] if base_url is not None and is_loopback(host_of(base_url)) else []),
        ]
    )  # fmt: skip
    values = {
        "out": str(out), "name": out.stem, "seeds": _quoted(str(seeds)), "teacher": "\n".join(lines),
        "student": _quoted(student),
    }  # fmt: skip
    out.write_text(Template(TEMPLATE).substitute(values), encoding="utf-8")
    load(str(out))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
