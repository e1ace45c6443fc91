"""Names become things: what the top layer opens for a recipe."""

import os
from pathlib import Path

import pytest
import torch

from orcamath.assemble import Assembled
from orcamath.ports import Message, Reply, Request
from orcamath.recipe_settings import Recipe
from orcamath.running import run_recipe
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.stages.serving import ServerSettings
from orcamath.store.artifacts import Store
from orcamath.store.ledger import Ledger
from orcamath.store.locks import take
from orcamath.store.run_folder import RunFolder
from orcamath.workshop import UntilReached
from tiny_student import tiny_folder


def recipe(**judge: object) -> Recipe:
    textbook = {"backend": "textbook"}
    return Recipe.model_validate({"name": "r", "teacher": textbook, "judge_model": textbook, "judge": judge})


def test_a_judge_gives_verdicts_in_practice_and_extracts_on_benchmarks(tmp_path: Path) -> None:
    tools = Assembled(Store(tmp_path))
    r = recipe(name="model")
    assert tools.judge(r).form == "verdict"  # type: ignore[attr-defined]
    assert tools.judge(r, on_benchmarks=True).form == "extract"  # type: ignore[attr-defined]
    assert tools.judge(r).fingerprint != tools.judge(r, on_benchmarks=True).fingerprint
    own = tmp_path / "own.md"
    own.write_text((Path("src/orcamath/prompts") / "judge_verdict.md").read_text("utf-8"), "utf-8")
    mine = recipe(name="model", prompt=str(own))
    assert tools.judge(mine, on_benchmarks=True).fingerprint == tools.judge(mine).fingerprint
    alone = Recipe.model_validate({"name": "r", "judge": {"name": "rules"}})
    assert tools.judge(alone, on_benchmarks=True).fingerprint == tools.judge(alone).fingerprint


OWN = (
    "from orcamath.ports import Reply\nclass Own:\n    fingerprint, chunk = 'own 1', None\n    def __call__(self, requests):\n"
    "        yield from (Reply(r.key(self.fingerprint), 'So it is 4.') for r in requests)\n"
    "def open_chat(settings):\n    return Own()\n"
)


def test_replies_of_a_backend_of_ones_own_stay_when_its_file_changes_which_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, request = tmp_path / "own.py", Request((Message("user", "2+2?"),))

    def known(text: str) -> tuple[bool, list[str]]:
        path.write_text(text)
        caplog.clear()
        tools = Assembled(Store(tmp_path / "store"))
        model = tools.chat(ModelSettings(backend=str(path), model="m"))
        before = model.reply(request) is not None
        model.fill([request])
        tools.close()
        return before, [r.getMessage() for r in caplog.records]

    assert known(OWN) == (False, [])
    assert known(OWN) == (True, [])
    mended = OWN.replace("So it", "Here it")
    (told,) = known(mended)[1]
    assert told.startswith(
        f"backend `{path}`: its code changed since `own 1` was asked first. Replies remembered under that"
    )
    assert known(mended) == (True, [])
    assert known(mended.replace("own 1", "own 2")) == (False, [])


@pytest.mark.parametrize(("asked", "users", "kept"), [(1, None, 1), (None, None, 2), (1, "2", 2)])
def test_threads_hold_although_torch_was_there_before(
    asked: int | None, users: str | None, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", users or "")
    if users is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seeds = {"sources": [{"name": "classroom", "split": "train", "options": {"n": 2}}]}
    r = Recipe.model_validate({"name": "r", "seeds": seeds, "benchmarks": seeds, "threads": asked})
    try:
        with RunFolder(tmp_path / "run") as folder, pytest.raises(UntilReached):
            run_recipe(r, folder, Store(tmp_path / "store"), until="seeds", quiet=True)
        assert torch.get_num_threads() == kept
        assert os.environ.get("OMP_NUM_THREADS") == (users or (asked and str(asked)))  # what processes from here get
    finally:
        torch.set_num_threads(before)


def test_a_model_that_cannot_be_closed_keeps_no_hold_of_the_ledger(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "class Chat:\n    fingerprint, chunk = 'own', None\n    def __call__(self, requests):\n        yield from ()\n"
        "    def close(self):\n        raise OSError('it is gone')\n"
        "def open_chat(settings):\n    return Chat()\n"
    )
    tools = Assembled(Store(tmp_path / "store"))
    tools.chat(ModelSettings(backend=str(own)))
    request = Request((Message("user", "q"),))
    tools.ledger.put(request, "m", Reply(request.key("m"), "a"))
    with pytest.raises(OSError, match="it is gone"):
        tools.close()
    lock = take(tmp_path / "store" / "ledger" / "shard-0.lock")
    assert lock is not None
    lock.close()
    assert Ledger(tmp_path / "store" / "ledger").counts() == {"m": 1}


def test_what_is_added_to_a_students_requests_is_part_of_who_answers(tmp_path: Path) -> None:
    base = tiny_folder(tmp_path / "base")
    tools = Assembled(Store(tmp_path / "store"))

    def fingerprint(body: dict[str, object]) -> str:
        server = ServerSettings(command="x {model} {name} {port}", body=body)
        return tools.player(StudentSettings(), base, server).chat.fingerprint

    assert fingerprint({}) == base.fingerprint
    other = {fingerprint({"top_k": 20}), fingerprint({"top_k": 30})}
    assert len(other) == 2
    assert all(name.endswith(base.fingerprint) for name in other)  # under which the weights are served
    tools.close()
