"""The authors' own files: counts of the manifest, the same texts and answers as the normalised copies, known overlaps.

Reads the folder named by ORCAMATH_TEST_DATA, which has the sets; they are not part of this repository.
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orcamath.families import find
from orcamath.records import Problem, Rejected
from orcamath.sources.choosing import BenchmarksSettings, SeedsSettings, together
from orcamath.sources.clusters import Sketches
from orcamath.sources.source import SourceSettings, Unsplit, number_text
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.seeds import gather
from scripted import Bench

DATA = Path(os.environ.get("ORCAMATH_TEST_DATA", "/nonexistent"))
pytestmark = pytest.mark.skipif(
    not (DATA / "MANIFEST.json").exists(), reason="ORCAMATH_TEST_DATA names no folder with the real sets"
)

FILES = {
    "gsm8k-train": ("gsm8k", "gsm8k_train.jsonl.gz"),
    "gsm8k-test": ("gsm8k", "gsm8k_test.jsonl.gz"),
    "svamp-all": ("svamp", "SVAMP.json.gz"),
    "asdiv-all": ("asdiv", "ASDiv.xml.gz"),
    "addsub-all": ("addsub", "AddSub.json.gz"),
    "multiarith-all": ("multiarith", "MultiArith.json.gz"),
    "singleeq-all": ("singleeq", "SingleEq.json.gz"),
    "singleop-all": ("singleop", "SingleOp.jsonl.gz"),
    "draw-train": ("draw", "draw_train.jsonl.gz"),
    "draw-dev": ("draw", "draw_dev.jsonl.gz"),
    "draw-test": ("draw", "draw_test.jsonl.gz"),
    "alg514-train": ("alg514", "alg514_train.json.gz"),
    "alg514-valid": ("alg514", "alg514_valid.json.gz"),
    "alg514-test": ("alg514", "alg514_test.json.gz"),
    "mathqa-dev": ("mathqa", "mathqa_dev.json.gz"),
    "mathqa-test": ("mathqa", "mathqa_test.json.gz"),
}
SPLITS = {"train": "train", "dev": "dev", "valid": "dev", "test": "test"}


def read(source: str, file: str) -> Iterator[Problem | Unsplit]:
    for found in find("source", source).read(SourceSettings(name=source, path=str(DATA / "original" / file))):
        assert not isinstance(found, Rejected), found
        yield found


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", FILES)
def test_counts_texts_answers_and_licences_are_those_of_the_manifest(name: str) -> None:
    expected = {m["file"].removesuffix(".jsonl.gz"): m for m in json.loads((DATA / "MANIFEST.json").read_text())}[name]
    found = list(read(*FILES[name]))
    problems = [f.problem if isinstance(f, Unsplit) else f for f in found]
    with gzip.open(DATA / expected["file"], "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    assert len(problems) == expected["n"] == len(rows)
    assert {p.licence for p in problems} == {expected["licence"]}
    split = name.split("-")[1]
    assert {isinstance(f, Unsplit) for f in found} == {split == "all"}
    if split != "all":
        assert {p.split for p in problems} == {SPLITS[split]}
    for problem, row in zip(problems, rows, strict=True):
        assert plain(problem.question) == plain(row["question"])
        assert problem.answer is not None
        if problem.answer_kind == "choice":
            correct = problem.options["abcde".index(row["correct"])]
            assert problem.answer in (correct, row["correct"].upper())
        elif row["source"] == "ASDiv":  # the copy keeps the first of several answers
            assert plain(problem.answer).split(", ")[0] == number_text(row["answer"].split("; ")[0])
        else:
            assert problem.answer == row["answer"]


def test_kinds_of_answers() -> None:
    kinds = {
        s: Counter((f.problem if isinstance(f, Unsplit) else f).answer_kind for f in read(s, file))
        for s, file in FILES.values()
        if file in ("draw_train.jsonl.gz", "alg514_train.json.gz", "mathqa_dev.json.gz", "ASDiv.xml.gz")
    }
    asdiv = kinds.pop("asdiv")
    assert kinds == {
        "draw": {"set": 452, "number": 148},
        "alg514": {"set": 342, "number": 69},
        "mathqa": {"choice": 4475},
    }
    assert set(asdiv) == {"number", "set", "text"}
    assert asdiv["set"] == 90
    assert 40 <= asdiv["text"] <= 146  # names, colours, yes and no; times and ratios are on the border


def test_the_known_overlaps_between_sets_are_found() -> None:
    sketches = Sketches()
    for name in ("addsub-all", "singleeq-all", "singleop-all", "asdiv-all", "multiarith-all"):
        for found in read(*FILES[name]):
            assert isinstance(found, Unsplit)
            sketches.add(found.problem, None)
    clusters = sketches.cluster()
    same = clusters.overlap.same_text
    assert (same["addsub ∩ singleeq"], same["asdiv ∩ singleop"], same["asdiv ∩ multiarith"]) == (111, 154, 60)
    assert all(clusters.overlap.near[pair] >= n for pair, n in same.items())
    by_cluster: dict[int, set[str]] = {}
    for cluster, split in zip(clusters.names.tolist(), clusters.splits, strict=True):
        by_cluster.setdefault(cluster, set()).add(split)
    assert all(len(splits) == 1 for splits in by_cluster.values())


def test_seeds_of_one_set_share_no_near_text_with_the_drawn_test_half_of_another(tmp_path: Path) -> None:
    def source(name: str, file: str) -> SourceSettings:
        return SourceSettings(name=name, path=str(DATA / "original" / file))

    readers = {name: find("source", name).read for name in ("addsub", "singleop", "singleeq", "asdiv")}
    s, t = together(
        SeedsSettings(sources=(source("addsub", "AddSub.json.gz"), source("singleop", "SingleOp.jsonl.gz"))),
        BenchmarksSettings(sources=(source("singleeq", "SingleEq.json.gz"), source("asdiv", "ASDiv.xml.gz"))),
        readers,
    )
    bench = Bench(tmp_path)
    seeds = bench.run(lambda out: gather(out, s, readers))
    tests = bench.run(lambda out: benchmarks(out, t, readers))
    train, test = ({p.cluster for p in a.read(Problem)} for a in (seeds, tests))
    assert len(train) > 400
    assert len(test) > 400
    assert not train & test
    for artifact in (seeds, tests):
        assert artifact.balance["results"] == artifact.balance["kept"] + sum(artifact.balance["rejected"].values())
