"""State files, folders, names: what is there is kept, what is damaged is absent, and the cause that is named is the true one."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commanding import call_in
from orcamath.commands.ending import ended
from orcamath.commands.keeping import check_kept, collect_garbage
from orcamath.errors import OrcamathError, RecipeError, RunBusy, UsageError
from orcamath.export.places import export_place
from orcamath.ports import Message, Reply, Request
from orcamath.recipe_file import load
from orcamath.records import Problem
from orcamath.store import locks
from orcamath.store.artifacts import Output, Store
from orcamath.store.history import History, book_of, joined_pointers
from orcamath.store.ledger import Ledger
from orcamath.store.names import arm_folder, check_apart, fitting, run_name
from orcamath.store.run_folder import RunFolder
from orcamath.store.seals import write_sealed
from orcamath.student.facts import TrainedFacts
from orcamath.student.model import fingerprint


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("../../x", "`x`"),
        ("/etc", "`etc`"),
        ("a/b", "`a-b`"),
        ("", "`run`"),
        (".", "`run`"),
        ("..", "`run`"),
        (".hidden", "`hidden`"),
        ("my run", "`my-run`"),
        ("-x", "`x`"),
        ("x" * 300, "xxx`"),
        ("a\0b", "`a-b`"),
        ("a\\b", "`a-b`"),
        ("~", "`run`"),
        ("x" * 99 + "-y", "xxx`"),
        ("CON", "`CON_`"),
        ("nul", "`nul_`"),
        ("aux.txt", "`aux_.txt`"),
        ("Com1.tar.gz", "`Com1_.tar.gz`"),
        ("LPT³", "`LPT³_`"),
    ],
)
def test_a_run_is_called_by_one_rule(name: str, instead: str) -> None:
    with pytest.raises(UsageError, match="cannot be called") as e:
        run_name(name)
    assert instead in str(e.value)


def test_what_is_offered_instead_keeps_to_the_rule() -> None:
    for name in ("../x", "x" * 99 + "-y", "con", "con." + "x" * 100, "a b", "nul.txt"):
        assert run_name(fitting(name)) == fitting(name)


NAMED = [
    ["run", "{recipe}"],
    ["run", "{recipe}", "--limit", "1"],
    ["run", "classroom", "--name", "{name}"],
    ["run", "classroom", "--set", "name={name}"],
    ["plan", "{recipe}"],
    ["plan", "classroom", "--set", "name={name}"],
    ["doctor", "{recipe}"],
    ["diff", "classroom", "{recipe}"],
    ["diff", "{recipe}", "classroom"],
]


@pytest.mark.parametrize("name", ["../x", "my run", "nul.txt"])
@pytest.mark.parametrize("command", NAMED)
def test_every_command_refuses_a_name_alike_before_anything_is_written(
    command: list[str], name: str, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "r.yaml").write_text(f"name: {name}\n")
    done = call_in(inside, *(part.format(recipe="r.yaml", name=name) for part in command))
    assert done.code == 2
    assert f"a run cannot be called `{name}`" in done.err
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "r.yaml"]


def test_a_starter_has_a_name_that_keeps_to_the_rule(tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"question": "How much is 1 + 1?", "answer": "2"}\n')
    done = call_in(tmp_path, "init", "--seeds", "seeds.jsonl", "--teacher", "m", "--out", "con my own.yaml")
    assert (done.code, load(str(tmp_path / "con my own.yaml")).name) == (0, "con-my-own")


def test_an_arm_of_a_run_is_compared_whatever_it_is_called(tmp_path: Path) -> None:
    arm = tmp_path / "runs" / "r" / "arms" / "kto-seed-1"
    arm.mkdir(parents=True)
    (arm / "recipe.yaml").write_text("name: KTO · seed 1\n")
    done = call_in(tmp_path, "diff", str(arm), str(arm))
    assert (done.code, "no setting differs" in done.out) == (0, True)


@pytest.mark.parametrize(
    "name", ["classroom", "r_x", "KTO", "gsm8k-7b.2", "zwölf", "a..b", "console", "com10", "x.nul"]
)
def test_what_keeps_to_the_rule_is_taken_as_it_is(name: str) -> None:
    assert run_name(name, ["other", name]) == name
    assert arm_folder(name) == name.casefold()


def test_names_that_differ_by_capitals_only_are_refused() -> None:
    with pytest.raises(UsageError, match="`KTO` is there already"):
        run_name("kto", ["KTO"])
    with pytest.raises(RecipeError, match=r"`KTO` and `kto` would share the folder `kto`"):
        check_apart(["KTO", "dpo", "kto"])
    with pytest.raises(RecipeError, match="no letter or digit"):
        check_apart(["../.."])
    check_apart(["KTO + 1 NLL", "KTO", "r_x", "r-x"])
    assert arm_folder("../../x") == "x"
    assert arm_folder("AUX") == "aux_"
    assert arm_folder("more SFT (same counted tokens)") == "more-sft-same-counted-tokens"


def pointers(*stages: tuple[str, str], students: tuple[str, ...] = (), ways: str | None = "kto") -> dict:
    return {
        "stages": [{"label": label, "artifact": artifact} for label, artifact in stages],
        "students": [{"name": s} for s in students],
        "recipe": None,
        "ways": ways,
    }


LONG = pointers(("teach", "teach-1"), ("imitate", "imitate-1"), ("evaluate M1", "evaluate-1"), students=("M1",))


@pytest.mark.parametrize(
    ("now", "want"),
    [
        (pointers(("teach", "teach-1")), ["teach", "imitate", "evaluate M1"]),
        (pointers(), ["teach", "imitate", "evaluate M1"]),
        (pointers(("teach", "teach-2")), ["teach"]),  # other lessons: what was made of the old ones is not this run's
        (pointers(("seeds", "seeds-1")), ["seeds", "teach", "imitate", "evaluate M1"]),
        (pointers(("teach", "teach-1"), ways="dpo"), ["teach"]),  # what comes next is to be made in another way
    ],
)
def test_a_shorter_run_keeps_what_a_longer_one_reached(now: dict, want: list[str]) -> None:
    together = joined_pointers(now, LONG)
    assert [s["label"] for s in together["stages"]] == want
    assert [s["name"] for s in together["students"]] == (["M1"] if "imitate" in want else [])
    assert joined_pointers(now, None) == now
    older = LONG | {"ways": None}  # that version wrote no settings
    assert [s["label"] for s in joined_pointers(now, older)["stages"]] == (
        want if now["ways"] == "kto" else [s["label"] for s in LONG["stages"]]
    )


def student(store: Store, name: str) -> str:
    def train(out: Output) -> TrainedFacts:
        (out.folder / "model").mkdir()
        (out.folder / "model" / "config.json").write_text(json.dumps({"model_type": "llama", "name": name}))
        return TrainedFacts(contents={})

    return store.stage("imitate", 1, None, [name], train).path.name


@pytest.mark.parametrize("runs", ["runs", "nowhere", "other"])
def test_gc_forgets_nothing_that_a_history_names(tmp_path: Path, runs: str) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "other").mkdir()
    named, gone = student(store, "named"), student(store, "gone")
    weights = {n: fingerprint(store.artifacts / n / "model", "float32") for n in (named, gone)}
    ledger = Ledger(store.root / "ledger")
    for model in (*weights.values(), "teacher@-"):
        request = Request((Message("user", "how many?"),))
        ledger.put(request, model, Reply(request.key(model), "4"))
    ledger.close()
    with RunFolder(tmp_path / "runs" / "r") as folder:
        history = History(store.root, folder.id)
        history.note(folder.path, "", [{"label": "imitate", "artifact": gone}])
        history.note(folder.path, "", [{"label": "imitate", "artifact": named}])  # trained anew: the old one is let go
        history.note(folder.path, "", [{"label": "teach", "artifact": "teach-1"}])  # `--until teach`
    assert "dropped 1 samples of 1 students" in collect_garbage(tmp_path / runs, store.root, dry=False)
    assert set(Ledger(store.root / "ledger").counts()) == {weights[named], "teacher@-"}


def test_gc_collects_what_killed_processes_left_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sealed = student(store, "x")
    for name in (
        "artifacts/.teach-1.making",
        "artifacts/.teach-2.damaged",
        f"scratch/{sealed}",
        "scratch/edit-1",
        "scratch/plan-1",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    assert (
        "damaged: " not in check_kept(None, tmp_path / "runs", tmp_path, as_json=False)[0]
    )  # half made is not damaged
    checkpoint = tmp_path / "scratch/imitate-2/steps/step-00000003"
    checkpoint.mkdir(parents=True)
    busy = tmp_path / "artifacts/.gate-3.making"
    busy.mkdir()
    with locks.wait_for(tmp_path / "scratch/gate-3.lock", "make gate"):
        assert "5 folders" in collect_garbage(tmp_path / "runs", tmp_path, dry=True)
        assert "5 folders" in collect_garbage(tmp_path / "runs", tmp_path, dry=False)
        assert "0 folders" in collect_garbage(tmp_path / "runs", tmp_path, dry=False)
    assert busy.is_dir()
    assert checkpoint.is_dir()
    assert (tmp_path / "artifacts" / sealed).is_dir()


def test_a_book_moves_into_the_store_and_stays_the_runs(tmp_path: Path) -> None:
    from orcamath.store.budget import Budget, Price

    run = tmp_path / "runs" / "r"
    old = Budget(run / "budget.sqlite", 1.0)
    lease = old.meter("teach", Price(1e6, 1e6))
    assert lease.reserve(Request((), token_ids=(1,))) is None  # too dear: nothing booked
    old.close()
    assert book_of(tmp_path / "store", run) == run / "budget.sqlite"
    with RunFolder(run) as folder:
        history = History(tmp_path / "store", folder.id)
        history.folder.mkdir(parents=True)
        (history.folder / f".{history.book.name}.writing").write_bytes(b"a crash left this")
        assert history.adopted(run) == history.book
        assert list(history.folder.iterdir()) == [history.book]
        assert RunFolder(run).id == folder.id
    assert not list(run.glob("budget*"))
    assert book_of(tmp_path / "store", run) == history.book


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("there", ["export", "text", "folder", "folder with more", "link to a folder"])
def test_export_replaces_only_what_an_export_made(tmp_path: Path, folder: bool, there: str) -> None:
    def write(text: str) -> None:
        with export_place(target, folder=folder, replace=True, what="lessons") as new:
            (new / "lessons.jsonl" if folder else new).write_text(text)

    target, precious = tmp_path / "out", tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    if there == "text":
        target.write_text("years of work\n")
    elif there == "folder":
        target.mkdir()
        (target / "thesis.tex").write_text("years of work")
    elif there == "link to a folder":
        target.symlink_to(precious)
    else:
        write('{"old": 1}\n')
        if there == "folder with more" and folder:
            (target / "notes.md").write_text("years of work")
    if there == "export" or (there == "folder with more" and not folder):
        write('{"new": 1}\n')
        assert (target / "lessons.jsonl" if folder else target).read_text() == '{"new": 1}\n'
        return
    with pytest.raises(UsageError, match=r"no export made|did not make"):
        write('{"new": 1}\n')
    kept = [p for p in [target, *tmp_path.rglob("*")] if p.is_file() and b"years of work" in p.read_bytes()]
    assert len(kept) >= (1 if there == "link to a folder" else 2)


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (errno.ENOSPC, 4, "the disk is full"),
        (errno.EDQUOT, 4, "the disk is full"),
        (errno.EROFS, 1, "mounted read-only"),
        (errno.EMFILE, 1, "ulimit -n"),
        (errno.ENOLCK, 1, "no locks"),
        (errno.EACCES, 1, "no right"),
        (errno.EIO, 1, "the disk fails"),
    ],
)
def test_a_disk_that_fails_is_named_for_what_it_is(number: int, code: int, says: str, capsys) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number), "store/artifacts/x")

    with pytest.raises(SystemExit) as e:
        ended(fail)
    said = capsys.readouterr().err
    assert e.value.code == code
    assert says in said
    assert "store/artifacts/x" in said
    assert "delete" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EMFILE])
def test_a_lock_that_cannot_be_had_is_not_blamed_on_another_process(tmp_path: Path, number: int, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    for work in (RunFolder(tmp_path / "r").__enter__, Ledger(tmp_path / "l")._own, lambda: locks.take(tmp_path / "x")):
        with pytest.raises((OrcamathError, OSError)) as e:
            work()
        assert not isinstance(e.value, RunBusy)
        assert os.strerror(number) in str(e.value)


def test_who_waits_says_for_whom(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(locks, "SAY_EVERY_S", 0.2)
    code = (
        "from pathlib import Path; import logging\nfrom orcamath.store import locks\nlocks.SAY_EVERY_S = 0.2\n"
        f"locks.wait_for(Path({str(tmp_path / 'x.lock')!r}), 'make `teach`')\nprint('got it')"
    )
    with locks.wait_for(tmp_path / "x.lock", "hold"):
        waiting = subprocess.Popen(
            [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
    out, _ = waiting.communicate(timeout=30)
    assert f"waiting to make `teach`: process {os.getpid()} on" in said
    assert "got it" in out


def test_fsck_names_every_kind_of_damage_and_what_to_do(tmp_path: Path) -> None:
    store, run = Store(tmp_path / "store"), tmp_path / "runs" / "r"
    made = store.stage(
        "seeds", 1, None, [], lambda out: out.write("problems", [Problem.make("How many?", "seed", "t")]) and None
    )
    ledger = Ledger(store.root / "ledger")
    request = Request((Message("user", "how many?"),))
    ledger.put(request, "m", Reply(request.key("m"), "4"))
    ledger.close()
    run.mkdir(parents=True)
    write_sealed(run / "stages.json", {"stages": [{"label": "seeds", "artifact": made.path.name}], "students": []})
    said, well = check_kept(None, tmp_path / "runs", store.root, as_json=False)
    assert well, said
    assert check_kept(run, tmp_path / "runs", store.root, as_json=False)[1]

    Ledger(store.root / "ledger")._own().execute("UPDATE calls SET reply = x'0600'")
    table = made.path / "problems.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    (run / "stages.json").write_text("{")
    said, well = check_kept(None, tmp_path / "runs", store.root, as_json=True)
    assert not well
    found = {Path(f["path"]).name: f["to_do"] for f in json.loads(said)["damaged"]}
    assert set(found) == {"problems.parquet", "shard-0.sqlite", "stages.json"}
    assert f"delete `{made.path}`" in found["problems.parquet"]
    assert "asks again" in found["shard-0.sqlite"]


@pytest.mark.parametrize("out", ["rows.jsonl", "link.jsonl", "thesis.tex", "pipe", "folder"])
@pytest.mark.timeout(20)
def test_verdicts_are_written_over_nothing_but_rows(tmp_path: Path, out: str) -> None:
    rows = b'{"question": "1 + 1?", "gold": "2", "response": "#### 2"}\n' * 3
    (tmp_path / "rows.jsonl").write_bytes(rows)
    (tmp_path / "link.jsonl").symlink_to("rows.jsonl")
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    done = call_in(tmp_path, "judge", "rows.jsonl", "--judge", "rules", "--out", out)
    assert done.code == 2
    assert "--out" in done.err
    assert (tmp_path / "rows.jsonl").read_bytes() == rows
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "pipe").is_fifo()
    judged = ("judge", "rows.jsonl", "--judge", "rules", "--out", "verdicts.jsonl")
    assert [call_in(tmp_path, *judged, *more).code for more in ([], [], ["--replace"])] == [0, 2, 0]
    assert len((tmp_path / "verdicts.jsonl").read_bytes().splitlines()) == 3
