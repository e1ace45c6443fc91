"""Out of a run: every thing in every form, the right arm and round, the hub shown before anything is sent; runs side by side."""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orcamath.cli import main
from orcamath.commands.doors import Handout, compared, export_from, runs_listed
from orcamath.errors import ModelError, UsageError
from orcamath.export.shapes import SHAPES
from orcamath.export.student import marked
from orcamath.ports import Message, Request, Sampling, Usage
from orcamath.recipe_file import load
from orcamath.recipe_settings import Iteration
from orcamath.report.differing import FIRST_STAGE, OF_ITERATION, differing
from orcamath.report.fold import fold
from orcamath.report.standing import standing
from orcamath.running import run_recipe
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget, Price
from orcamath.store.run_folder import RunFolder
from orcamath.workshop import UntilReached
from report_run import make_run


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doors")
    folder, store = make_run(root)
    for made in (store.artifacts).glob("[il]*-*"):
        if made.is_dir():
            (made / "model").mkdir()
            (made / "model" / "config.json").write_text(json.dumps({"of": made.name}))
            (made / "model" / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def out_of(trial: Path, door: Handout, **push: Any) -> str:
    return export_from(trial, trial.parents[1] / "store", door, **push)


@pytest.mark.parametrize(("what", "form"), [(w, f) for w, forms in SHAPES.items() for f in forms])
def test_everything_comes_out_in_every_form(trial: Path, tmp_path: Path, what: str, form: str) -> None:
    target = tmp_path / ("out" if form == "hub" else "out.parquet" if form == "parquet" else "out.jsonl")
    if (what, form) == ("preferences", "dpo"):  # the made-up preference has no negative, so no pair
        with pytest.raises(UsageError, match=r"no preferences .* can be written as `dpo`"):
            out_of(trial, Handout(what, form, target))
        return
    said = out_of(trial, Handout(what, form, target))
    assert f"to {target}" in said
    n = int(said.split()[1].replace(",", ""))
    assert n > 0
    if target.suffix == ".jsonl":
        assert len(target.read_text().splitlines()) == n


def test_the_arm_and_the_round_are_chosen_or_the_first_and_the_last(trial: Path, tmp_path: Path) -> None:
    assert "of arm `KTO + NLL`" in out_of(trial, Handout("attempts", out=tmp_path / "a.jsonl"))
    assert "of arm `NLL on right samples`" in out_of(
        trial, Handout("attempts", out=tmp_path / "b.jsonl", arm="NLL on right samples", number=2)
    )
    row = json.loads((tmp_path / "b.jsonl").read_text().splitlines()[0])
    assert (row["question"], row["reference"], row["outcome"], row["draw"]) == ("6 + 7?", "13", "agrees", 0)
    with pytest.raises(UsageError, match=r"did you mean `KTO \+ NLL`"):
        out_of(trial, Handout("attempts", out=tmp_path / "c.jsonl", arm="KTO+NLL"))
    with pytest.raises(UsageError, match=r"no round 9.*known: 2, 3"):
        out_of(trial, Handout("attempts", out=tmp_path / "c.jsonl", number=9))
    with pytest.raises(UsageError, match="did you mean `attempts`"):
        out_of(trial, Handout("attempt", out=tmp_path / "c.jsonl"))
    with pytest.raises(UsageError, match="no export form `chat`"):
        out_of(trial, Handout("attempts", "chat", tmp_path / "c.jsonl"))
    assert not (tmp_path / "c.jsonl").exists()


def test_a_student_is_its_folder_with_a_card_of_what_was_measured(trial: Path, tmp_path: Path) -> None:
    said = out_of(trial, Handout("student", out=tmp_path / "student", arm="KTO + NLL"))
    assert "files of the student of arm `KTO + NLL`" in said
    card = (tmp_path / "student" / "README.md").read_text()
    assert "| classroom | " in card
    assert "60 |" in card
    assert json.loads((tmp_path / "student" / "config.json").read_text())["of"].startswith("learn-")
    with pytest.raises(UsageError, match=r"known: 1, 2, 3|no round 7"):
        out_of(trial, Handout("student", out=tmp_path / "other", arm="KTO + NLL", number=7))


def test_our_own_template_marks_the_answer_and_renders_as_before() -> None:
    from orcamath.student.encode import BASE_TEMPLATE

    turns = [{"role": "user", "content": "{{q}}"}, {"role": "assistant", "content": "a"}]
    told = marked(BASE_TEMPLATE)
    assert told.count("{% generation %}") == told.count("{% endgeneration %}") == 1
    assert marked(told) == told
    assert marked("{{ messages }}") == "{{ messages }}"
    plain = told.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    render = ImmutableSandboxedEnvironment().from_string
    assert render(plain).render(messages=turns, eos_token="</s>") == render(BASE_TEMPLATE).render(
        messages=turns, eos_token="</s>"
    )


class _Hub(BaseHTTPRequestHandler):
    """The part of the hub's protocol that an upload of small files speaks."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        self.server.calls.append(self.path)
        if self.server.refuses:
            return self.answer({"error": "Invalid username or password."}, 401)
        if self.path.endswith("/repos/create"):
            self.server.created = json.loads(body)
            return self.answer({"url": f"http://127.0.0.1:{self.server.server_port}/datasets/me/mine"})
        if self.path.endswith("/validate-yaml"):
            return self.answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            return self.answer(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        for line in body.splitlines():
            value = json.loads(line)
            if value["key"] == "file":
                self.server.files[value["value"]["path"]] = base64.b64decode(value["value"]["content"])
        return self.answer(
            {
                "commitUrl": f"http://127.0.0.1:{self.server.server_port}/datasets/me/mine/commit/{'1' * 40}",
                "commitOid": "1" * 40,
                "success": True,
            }
        )

    def do_GET(self) -> None:
        self.server.calls.append(self.path)
        self.answer({"sha": "0" * 40, "id": "me/mine", "siblings": []})

    def answer(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def hub(monkeypatch: pytest.MonkeyPatch, *, refuses: bool = False) -> Iterator[Any]:
    pytest.importorskip("huggingface_hub", reason="the extra `hub` is not installed")
    import huggingface_hub.hf_api as hf_api

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.calls, server.files, server.created, server.refuses = [], {}, {}, refuses
    monkeypatch.setattr(hf_api.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(hf_api.constants, "HF_HUB_OFFLINE", False)  # whoever imported it first may have been offline
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_a_push_is_shown_first_and_sent_only_when_told(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(monkeypatch) as server:
        said = out_of(trial, Handout("lessons", out=tmp_path / "one"), push_to="me/mine")
        assert "would push 2 files" in said
        assert "private dataset `me/mine` (nothing was sent)" in said
        assert server.calls == []
        said = out_of(trial, Handout("lessons", out=tmp_path / "two"), push_to="me/mine", really=True)
        assert "pushed 2 files" in said
        assert "private" in {server.created.get("visibility"), *(k for k, v in server.created.items() if v is True)}
        assert set(server.files) == {"README.md", "data/train-00000-of-00001.parquet"}
        assert server.files["README.md"] == (tmp_path / "two/README.md").read_bytes()
    with pytest.raises(UsageError, match="no OWNER/NAME"):
        out_of(trial, Handout("lessons", out=tmp_path / "three"), push_to="mine")
    with pytest.raises(UsageError, match="only folders go to the hub"):
        out_of(trial, Handout("lessons", "jsonl", tmp_path / "three"), push_to="me/mine")
    assert not (tmp_path / "three").exists()  # said before anything is written


def test_a_hub_that_refuses_leaves_the_folder_whole(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(monkeypatch, refuses=True), pytest.raises(ModelError, match=r"did not take `me/mine`.*HF_TOKEN"):
        out_of(trial, Handout("lessons", out=tmp_path / "hub"), push_to="me/mine", really=True)
    assert (tmp_path / "hub/README.md").exists()


def test_runs_are_listed_with_state_score_and_spend(trial: Path, tmp_path: Path) -> None:
    listed = runs_listed(trial.parent, trial.parents[1] / "store", as_json=False)
    assert listed.startswith("trial")
    assert "best KTO + NLL M3" in listed
    assert "3 arms" in listed
    (found,) = json.loads(runs_listed(trial.parent, trial.parents[1] / "store", as_json=True))
    assert found["n_arms"] == 3
    assert found["best"]["score"]["low"] < found["best"]["score"]["point"]
    assert "no runs below" in runs_listed(tmp_path / "none", tmp_path / "store", as_json=False)


def test_a_run_that_stopped_behind_an_evaluation_is_not_said_to_be_measured(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    (listed,) = standing(folder.parent, store)
    assert listed.state == "measured"
    state = {"process": 1, "host": "elsewhere", "began_at": 0.0, "command": "", "ending": "stopped"}
    (folder / "state.json").write_text(json.dumps(state))
    (listed,) = standing(folder.parent, store)
    assert listed.state.startswith("stopped after evaluate")


def test_what_was_paid_counts_whatever_is_sealed_and_one_damaged_book_hides_no_other_run(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    book = folder / "budget.sqlite"
    for stage in ("teach", "confirm"):  # the second is no stage of this run yet
        budget = Budget(book, 10_000.0)
        lease = budget.meter(stage, Price(1e6, 1e6))
        held = lease.reserve(Request((Message("user", "?"),), sampling=Sampling(max_tokens=1)))
        assert held is not None
        lease.settle(held, Usage(1, 1), sent=True)
        budget.close()
    (listed,) = standing(folder.parent, store)
    assert listed.spent_usd == 4.0
    assert dict(fold(folder, store).spent)["confirm"] == 2.0
    book.write_bytes(b"no book")
    (listed,) = standing(folder.parent, store)
    assert "budget" in listed.state


@pytest.mark.parametrize(
    ("change", "stage", "matters"),
    [
        ("learn.beta=0.7", "learn 2", True),  # iterations are resolved: they hold their own `learn`
        ("practice.samples=2", "practice 2", True),
        ("judge.timeout_s=7", "judge 2", True),
        ("teach.max_problems=7", "teach", True),
        ("seeds.sources.0.options.n=7", "seeds", True),
        ("evaluate.max_new_tokens=7", "evaluate M1", True),
        ("budget.cap_usd=7", None, False),
        ("variants.KTO + 1 NLL.learn.beta=0.7", "learn 2", True),
        ("repeat=[0,1]", "imitate", True),
        ("workers=1", None, False),
    ],
)
def test_a_difference_says_what_is_made_anew(change: str, stage: str | None, matters: bool) -> None:
    key = change.split("=")[0]
    found = differing(load("classroom"), load("classroom", [change]))
    assert any(d.key == key and d.matters is matters for d in found.settings)
    assert found.remade_from == stage
    assert differing(load("classroom"), load("classroom")) == ((), None, False)


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("variants={}", "variants={a: {learn: {beta: 0.5}}}", {"variants.a.learn.beta"}),
        ("variants={a: {learn: {beta: 0.5}}}", "variants={}", {"variants.a.learn.beta"}),
        ("variants={}", "variants={a: {}}", {"variants.a"}),  # it is all that is said of the arm
        ("variants={}", "variants={a: {iterations: [{more_sft: {}}]}}", {"variants.a.iterations.0.more_sft"}),
        ("teacher.options={}", "teacher.options={careless: 0.1}", {"teacher.options.careless"}),
    ],
)
def test_a_group_of_settings_with_nothing_below_it_is_not_told(was: str, now: str, told: set[str]) -> None:
    assert {d.key for d in differing(load("classroom", [was]), load("classroom", [now])).settings} >= told
    for first, second in (([was], [now]), ([now], [was])):
        found = differing(load("classroom", first), load("classroom", second))
        assert not [d for d in found.settings if "{}" in (d.first, d.second) and d.key not in told]
    ladder = differing(load("classroom"), load("classroom", ["ladder=[{model: m}]"])).settings
    assert {"ladder", "ladder.0.headers", "ladder.0.options"}.isdisjoint(d.key for d in ladder)


def test_an_arm_whose_name_has_a_dot_is_made_anew_like_any_other() -> None:
    more = load("classroom", ["variants={'KTO, beta 0.5': {learn: {beta: 0.5}}}"])
    assert differing(load("classroom", ["variants={}"]), more).remade_from == "learn 2"


def test_a_difference_in_a_later_iteration_is_of_its_own_stage() -> None:
    assert differing(load("paper"), load("paper", ["iterations.1.learn.beta=0.7"])).remade_from == "learn 3"
    assert (
        differing(load("paper"), load("paper", ["iterations.1.preferences.max_pairs=7"])).remade_from == "preferences 3"
    )


def test_every_section_that_changes_a_result_has_its_first_stage() -> None:
    look = "readiness={evaluate: {benchmarks: [x], samples: 2, temperature: 1}}"  # in no digest where there is none
    assert set(load("classroom", [look]).identity()) - {"name", "budget", "iterations"} == set(FIRST_STAGE)
    assert set(OF_ITERATION) == set(Iteration.model_fields)


def test_two_recipes_compared_with_their_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.jsonl").write_text('{"question": "Tom has 3 apples and 4 pears. How many?", "answer": "7"}\n')
    text = "name: mine\nseeds: {sources: [{name: file, path: seeds.jsonl, split: train}]}\nteacher: {model: gpt-4.1-mini}\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text + "teach: {temperature: 0.3}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setattr(sys, "argv", ["orcamath", "diff", "a.yaml", "b.yaml"])
    said = compared("a.yaml", "b.yaml", runs=tmp_path / "runs", store=tmp_path / "store", as_json=False)
    assert "teach.temperature: 0.0 → 0.3" in said
    assert "made anew from `teach` on" in said
    assert "`b.yaml` has still to pay $" in said
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {0, None}


def test_a_file_that_holds_something_else_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    seeds = tmp_path / "seeds.jsonl"
    row = '{"question": "Tom has 3 apples and %d pears. How many fruits has he?", "answer": "%d"}\n'
    seeds.write_text(row % (4, 7))
    text = "name: mine\nseeds: {sources: [{name: file, path: seeds.jsonl, split: train}]}\nteacher: {model: gpt-4.1-mini}\n"
    (tmp_path / "a.yaml").write_text(text + "benchmarks: {sources: [{name: file, path: test.jsonl, split: test}]}\n")
    (tmp_path / "test.jsonl").write_text('{"question": "What is 9 minus 2?", "answer": "7"}\n')
    with RunFolder(tmp_path / "runs" / "mine") as folder, suppress(UntilReached):
        run_recipe(load("a.yaml"), folder, Store(tmp_path / "store"), until="seeds", quiet=True)
    places = {"runs": tmp_path / "runs", "store": tmp_path / "store"}
    assert "nothing is made anew" in compared("mine", "a.yaml", **places, as_json=False)
    seeds.write_text(row % (4, 7) + row % (5, 8))
    for _ in range(2):  # the first look seals what it read
        said = compared("mine", "a.yaml", **places, as_json=False)
        assert "no setting differs" in said
        assert "made anew from `seeds` on (a file read for it differs in content from that of `mine`" in said
    assert json.loads(compared("mine", "a.yaml", **places, as_json=True))["remade_from"] == "seeds"
    seeds.write_text(row % (4, 7))
    (tmp_path / "test.jsonl").write_text('{"question": "What is 9 minus 3?", "answer": "6"}\n')
    assert "made anew from `seeds` on" in compared("mine", "a.yaml", **places, as_json=False)


def test_another_file_with_other_content_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    text = "name: mine\nseeds: {sources: [{name: file, path: %s, split: train}]}\nteacher: {model: gpt-4.1-mini}\n"
    row = '{"question": "Tom has 3 apples and %d pears. How many fruits has he?", "answer": "%d"}\n'
    for name, n in {"a": 4, "b": 5, "c": 4}.items():
        (tmp_path / f"{name}.yaml").write_text(text % f"{name}.jsonl")
        (tmp_path / f"{name}.jsonl").write_text(row % (n, n + 3))
    places = {"runs": tmp_path / "runs", "store": tmp_path / "store"}
    said = compared("a.yaml", "b.yaml", **places, as_json=False)
    assert "(in itself changes no result)" in said
    assert "made anew from `seeds` on" in said
    assert "nothing is made anew" in compared("a.yaml", "c.yaml", **places, as_json=False)
