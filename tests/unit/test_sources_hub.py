"""Hub sets: any of them by a map of columns, by commit; without a network the message says what to do instead."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orcamath.errors import DataError
from orcamath.records import Problem, Rejected
from orcamath.sources import gsm8k, hub, svamp
from orcamath.sources.choosing import contents_of
from orcamath.sources.hub_rows import HUB_SETS, commit_of, converted_files
from orcamath.sources.look import look_up
from orcamath.sources.source import SourceSettings, Unsplit

datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def folder(path: Path, **splits: list[dict[str, Any]]) -> str:
    (path / "data").mkdir(parents=True)
    for split, rows in splits.items():
        pq.write_table(pa.Table.from_pylist(rows), path / "data" / f"{split}-00000-of-00001.parquet")
    return str(path)


def test_any_set_is_read_by_a_map_of_columns_with_the_hubs_splits(tmp_path: Path) -> None:
    where = folder(
        tmp_path / "set",
        test=[{"prompt": "2+2?", "gold": "4"}],
        train=[{"prompt": "1+1?", "gold": "2"}, {"prompt": "Who?", "gold": "Ann"}],
        validation=[{"prompt": "1+2?", "gold": "3"}],
    )
    settings = SourceSettings(
        name="hub",
        called="mine",
        licence="CC0",
        columns={"question": "prompt", "answer": "gold"},
        options={"dataset": where},
    )
    found = [p for p in hub.read(settings) if isinstance(p, Problem)]
    assert [(p.question, p.split, p.answer_kind) for p in found] == [
        ("1+1?", "train", "number"),
        ("Who?", "train", "text"),
        ("1+2?", "dev", "number"),
        ("2+2?", "test", "number"),
    ]
    assert {(p.source, p.licence) for p in found} == {("mine", "CC0")}
    assert len(contents_of([settings])) == 3


def test_a_split_of_another_name_is_not_for_training(tmp_path: Path) -> None:
    rows = {name: [{"question": f"{i} + 1?", "answer": f"{i + 1}"}] for i, name in enumerate(("train", "eval", "mini"))}
    some, none = folder(tmp_path / "some", **rows), folder(tmp_path / "none", mini=rows["mini"])
    for split in (None, "train"):
        found = list(
            hub.read(SourceSettings.model_validate({"name": "hub", "split": split, "options": {"dataset": some}}))
        )
        assert [f.split for f in found if isinstance(f, Problem)] == ["train", "test"]
        assert [f.detail for f in found if isinstance(f, Rejected)] == [
            "is of the split `mini`, which is none of train, dev, test"
        ]
    (refused,) = hub.read(SourceSettings(name="hub", options={"dataset": none}))
    assert isinstance(refused, Rejected)
    assert refused.reason == "bad_split"
    assert "`split:`" in refused.detail
    (said,) = hub.read(SourceSettings(name="hub", split="dev", options={"dataset": none}))
    assert isinstance(said, Problem)
    assert said.split == "dev"
    assert look_up(none).settings.split == "train"  # `init` writes down what it takes
    assert look_up(some).settings.split is None


def test_hub_rows_and_the_authors_file_make_the_same_problems(tmp_path: Path) -> None:
    rows = [{"question": "Mia has 3 boxes of 4 pens. How many pens?", "answer": "3*4 = <<3*4=12>>12\n#### 12"}]
    where = folder(tmp_path / "gsm8k", train=rows)
    (tmp_path / "train.jsonl").write_text(json.dumps(rows[0]))
    of_hub = list(gsm8k.read(SourceSettings(name="gsm8k", options={"dataset": where})))
    assert of_hub == list(gsm8k.read(SourceSettings(name="gsm8k", path=str(tmp_path / "train.jsonl"))))


def test_a_split_that_only_the_hub_made_is_no_official_one(tmp_path: Path) -> None:
    row = {
        "ID": "chal-1",
        "Body": "Dan had 4 dollars",
        "Question": "How many?",
        "Answer": "4.0",
        "Equation": "4",
        "Type": "x",
    }
    where = folder(tmp_path / "svamp", test=[row])
    (found,) = svamp.read(SourceSettings(name="svamp", options={"dataset": where}))
    assert isinstance(found, Unsplit)
    assert found.problem.answer == "4"


def test_a_full_commit_names_a_set_without_asking_the_hub() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    settings = SourceSettings(name="gsm8k", revision=commit)
    assert contents_of([settings]) == [f"{HUB_SETS['gsm8k'].name}@{commit}"]


def test_without_a_network_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    commit_of.cache_clear()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"openai/gsm8k.*`path`.*`revision`"):
        contents_of([SourceSettings(name="gsm8k")])


def test_the_hub_source_must_be_told_which_set() -> None:
    with pytest.raises(DataError, match="dataset: owner/name"):
        next(hub.read(SourceSettings(name="hub")))


def test_a_set_without_any_copy_says_so() -> None:
    from orcamath.sources import draw

    with pytest.raises(DataError, match=r"`draw` is on no hub.*`path`"):
        next(draw.read(SourceSettings(name="draw")))


def test_the_hubs_parquet_copies_of_scripted_sets_are_found_by_configuration_and_split() -> None:
    listing = [
        "README.md",
        "addsub/train/0001.parquet",
        "addsub/train/0000.parquet",
        "addsub/test/0000.parquet",
        "addsub/test/index.duckdb",
        "asdiv/lila-validation.parquet",
        "big/partial-train/0000.parquet",
    ]
    assert converted_files(listing, "addsub") == {
        "test": ["addsub/test/0000.parquet"],
        "train": ["addsub/train/0000.parquet", "addsub/train/0001.parquet"],
    }
    assert converted_files(listing, "asdiv") == {"dev": ["asdiv/lila-validation.parquet"]}
    with pytest.raises(DataError, match="no whole split"):
        converted_files(listing, "big")
    with pytest.raises(DataError, match="no configuration `default`"):
        converted_files(listing, None)


def test_a_set_that_cannot_be_loaded_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = SourceSettings(name="gsm8k", revision="0123456789abcdef0123456789abcdef01234567")
    with pytest.raises(DataError, match=r"cannot load `openai/gsm8k`.*`path`"):
        next(gsm8k.read(settings))
