"""Files as a new user may have them, of every wrong kind: what the sweep of mistakes points the commands at."""

import gzip
import json
from pathlib import Path

__all__ = ["write_files"]

SEED = '{"question": "Tom has 3 pens and buys 4 pens. How many pens has Tom now?", "answer": "7"}\n'
SOURCES = "seeds: {sources: [{name: file, path: seeds.jsonl, split: train}]}\n"
TEACHER = "teacher: {backend: textbook}\n"
RECIPES = {
    "good": SOURCES + TEACHER,
    "empty": "",
    "list": "- a\n- b\n",
    "words": "just some words\n",
    "tabs": "name: x\n\tseeds: y\n",
    "twice": "name: x\nname: y\n",
    "unknown": "name: x\nteacer: {backend: textbook}\n",
    "deeper": "name: x\nlearn: {los: kto}\n",
    "number": "name: x\nlearn: {beta: much}\n",
    "negative": "name: x\npractice: {samples: -1}\n",
    "nameless": SOURCES + TEACHER,
    "section": "name: x\nteacher: gpt-4.1\n",
    "nosource": "name: x\nseeds: {sources: [{name: gsm9k, split: train}]}\n" + TEACHER,
    "nofile": "name: x\nseeds: {sources: [{name: file, path: gone.jsonl, split: train}]}\n" + TEACHER,
    "folder": "name: x\nseeds: {sources: [{name: file, path: dir, split: train}]}\n" + TEACHER,
    "nothing": "name: x\nseeds: {sources: []}\n" + TEACHER,
    "column": "name: x\nseeds: {sources: [{name: file, path: noq.jsonl, split: train}]}\n" + TEACHER,
    "mapped": "name: x\nseeds: {sources: [{name: file, path: seeds.jsonl, split: train, columns: {question: text}}]}\n"
    + TEACHER,
    "bad": "name: x\nseeds: {sources: [{name: file, path: bad.jsonl, split: train}]}\n" + TEACHER,
    "loss": SOURCES + TEACHER + "learn: {loss: ppo}\niterations: [{}]\n",
    "judge": SOURCES + TEACHER + "judge: {name: cascad}\n",
    "backend": SOURCES + "teacher: {backend: openai}\n",
    "screen": SOURCES + TEACHER + "screens: [clasroom]\n",
    "agent": SOURCES + TEACHER + "agents: [{name: rewriter}]\n",
    "student": SOURCES + TEACHER + "student: {base: ./models/none}\n",
    "hollow": SOURCES + TEACHER + "student: {base: ./hollow}\n",
    "strange": SOURCES + TEACHER + "student: {base: ./strange}\n",
    "pickled": SOURCES + TEACHER + "student: {base: ./pickled}\n",
    "gguf": SOURCES + TEACHER + "student: {base: ./bad.gguf}\n",
    "short": SOURCES + TEACHER + "imitate: {max_tokens: 3}\n",
    "price": SOURCES + "teacher: {model: gpt-9, base_url: 'https://models.example/v1'}\n",
    "scheme": SOURCES + "teacher: {model: m, base_url: 'localhost:8000/v1'}\n",
    "ftp": SOURCES + "teacher: {model: m, base_url: 'ftp://localhost/v1'}\n",
    "where": SOURCES + "teacher: {model: gpt-9, base_url: '${NO_SUCH_HOST}/v1'}\n",
    "plain": SOURCES + "teacher: {model: m, base_url: 'http://models.example/v1', options: {price: [0, 0]}}\n",
    "key": SOURCES + "teacher: {model: gpt-4.1-mini}\n",
    "written": SOURCES
    + "teacher: {model: gpt-4.1-mini, headers: {Authorization: Bearer "
    + "0123456789abcdef" * 2
    + "}}\n",
    "stage": SOURCES + TEACHER + "budget: {stages_usd: {teech: 1}}\n",
    "cap": SOURCES + TEACHER + "budget: {cap_usd: -1}\n",
    "arm": SOURCES + TEACHER + "variants: {one: {lern: {loss: dpo}}}\n",
    "match": SOURCES + TEACHER + "variants: {one: {match_tokens_of: two}}\n",
    "prompt": SOURCES + TEACHER + "teach: {prompt: gone.md}\n",
    "ownfile": SOURCES + TEACHER + "judge: {name: ./no_entry.py}\n",
    "syntax": SOURCES + TEACHER + "judge: {name: ./syntax.py}\n",
    "raises": SOURCES + TEACHER + "judge: {name: ./raises.py}\n",
    "bench": SOURCES + TEACHER + "benchmarks: {sources: [{name: file, path: noanswer.jsonl, split: test}]}\n",
    "server": SOURCES
    + TEACHER
    + "practice: {server: {command: 'no-such-server {model} {name} {port}'}}\niterations: [{}]\n",
    "start": TEACHER + "start_from: {stage: lessons, path: gone.jsonl}\n",
    "again": SOURCES + TEACHER + "repeat: [0, 0]\n",
    "samples": SOURCES + TEACHER + "evaluate: {samples: 4, temperature: 0}\n",
    "tracker": SOURCES + TEACHER + "trackers: [wandbb]\n",
    "local": SOURCES + "teacher: {backend: transformers_local, model: ./hollow}\n",
}


def write_files(home: Path) -> None:
    """Write all of them into a folder."""
    for name, text in RECIPES.items():
        (home / f"{name}.yaml").write_text(
            text if text.startswith("name:") or name in _BARE else f"name: {name}\n{text}"
        )
    (home / "latin.yaml").write_bytes("name: café\n".encode("latin-1"))
    _data(home)
    _models(home)
    for name in ("torn", "norecipe", "bare"):
        (home / "runs" / name).mkdir(parents=True)
    for name, stages in (("torn", '{"stages": [{"la'), ("norecipe", (home / "runs/trial/stages.json").read_text())):
        (home / "runs" / name / "stages.json").write_text(stages)
        (home / "runs" / name / "recipe.yaml").write_text("name: [torn\n" if name == "norecipe" else "name: torn\n")
    (home / "no_entry.py").write_text("def judge():\n    pass\n")
    (home / "syntax.py").write_text("def make(settings, model):\n    return (\n")
    (home / "raises.py").write_text("import nowhere_at_all\n\n\ndef make(settings, model):\n    return None\n")


_BARE = ("empty", "list", "words", "nameless")
"""Recipes that get no name of their own."""


def _data(home: Path) -> None:
    files = {
        "seeds.jsonl": SEED,
        "more.jsonl": SEED.replace("pens", "pears"),
        "bad.jsonl": SEED + '{"question": "Half a\n',
        "noq.jsonl": '{"quesion": "How many?", "answer": "7"}\n',
        "noanswer.jsonl": '{"question": "How many pens?"}\n',
        "array.jsonl": "[1, 2]\n",
        "empty.jsonl": "",
        "blank.csv": "\n",
        "twice.csv": "question,question\na,b\n",
        "wide.csv": "question,answer\na,b,c\n",
        "answers.jsonl": json.dumps({"question": "3 + 4?", "gold": "7", "response": "#### 7"}) + "\n",
        "noresponse.jsonl": json.dumps({"question": "3 + 4?", "gold": "7"}) + "\n",
        "trained.jsonl": json.dumps({"question": "3 + 4?", "answer": "7", "split": "train", "source": "theirs"}) + "\n",
        "noreference.jsonl": json.dumps({"question": "3 + 4?", "response": "#### 7"}) + "\n",
        "fake.parquet": "no parquet\n",
        "notes.docx": "PK\n",
        "taken.yaml": "name: taken\n",
        "taken.txt": "my notes\n",
    }
    for name, text in files.items():
        (home / name).write_text(text)
    (home / "latin.csv").write_bytes("question,answer\nCafé?,1\n".encode("latin-1"))
    (home / "half.jsonl.gz").write_bytes(gzip.compress(SEED.encode() * 200)[:40])
    (home / "dir").mkdir()
    (home / "mine").mkdir()
    (home / "mine" / "notes.txt").write_text("keep\n")


def _models(home: Path) -> None:
    for name in ("hollow", "strange", "pickled", "garbled"):
        (home / name).mkdir()
    (home / "strange" / "config.json").write_text('{"model_type": "lama"}')
    (home / "strange" / "model.safetensors").write_bytes(b"x")
    (home / "pickled" / "config.json").write_text('{"model_type": "llama"}')
    (home / "pickled" / "pytorch_model.bin").write_bytes(b"x")
    (home / "garbled" / "config.json").write_text("{model")
    (home / "garbled" / "model.safetensors").write_bytes(b"x")
    (home / "bad.gguf").write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 64)
    (home / "empty.gguf").write_bytes(b"")
