"""Trackers get every number of a training, in their offline modes, and never end it. Missing packages are skipped by name."""

import json
import logging
import re
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orcamath.checks.whole import check
from orcamath.errors import RecipeError
from orcamath.families import find, members
from orcamath.ports import TrackedRun
from orcamath.recipe_file import load
from orcamath.store.artifacts import Store
from orcamath.store.run_folder import RunFolder
from orcamath.testing import check_tracker
from orcamath.workshop import Workshop

SHIPPED = ("tensorboard", "trackio", "wandb")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def shop(folder: RunFolder, root: Path, *trackers: object) -> Workshop:
    made = Workshop(Store(root / "store"), folder, None, None)  # type: ignore[arg-type]
    made.trackers, made.label = list(trackers), "learn 2"  # type: ignore[arg-type]
    return made


class Notes:
    """A tracker of one's own: keeps what it is told."""

    def __init__(self, fails_at: int | None = None, error: BaseException | None = None) -> None:
        self.told: list[tuple[str, int, dict[str, float]]] = []
        self.fails_at, self.error, self.closed = fails_at, error or ConnectionError("no route"), 0

    def add(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        if step == self.fails_at:
            raise self.error
        self.told.append((stage, step, dict(numbers)))

    def close(self) -> None:
        self.closed += 1


def test_a_tracker_has_what_metrics_jsonl_has_and_one_that_fails_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, broken = Notes(), Notes(fails_at=1)
    with RunFolder(tmp_path / "run") as folder, caplog.at_level(logging.WARNING, "orcamath"):
        made = shop(folder, tmp_path, whole, broken)
        for step in range(3):
            made.metric(step=step, loss=1.0 / (step + 1), margin=2)
        made.close_trackers()
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert whole.told == [("learn 2", x["step"], {"loss": x["loss"], "margin": x["margin"]}) for x in lines]
    assert (len(broken.told), broken.closed, whole.closed) == (1, 0, 1)
    assert [re.sub(r"line \d+", "line …", r.getMessage()) for r in caplog.records] == [
        f"the tracker `Notes` (`{__file__}`, line …: ConnectionError: no route) failed and gets nothing more; `metrics.jsonl` "
        "has every number"
    ]


class Unclosed(Notes):
    """Has no way to be told, or to be closed."""

    add = None  # type: ignore[assignment]

    def close(self) -> None:
        raise SystemExit(0)


def test_of_several_trackers_the_one_that_exits_is_named_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, exits = Notes(), Notes(fails_at=0, error=SystemExit(0))
    with RunFolder(tmp_path / "run") as folder, caplog.at_level(logging.WARNING, "orcamath"):
        made = shop(folder, tmp_path, exits, Unclosed(), whole)
        made.metric(step=0, loss=1.0)
        made.trackers.append(Unclosed())
        made.close_trackers()
    assert (len(whole.told), whole.closed) == (1, 1)
    assert [re.sub(r"\(`.*`(, line \d+)?: ", "(…: ", r.getMessage()) for r in caplog.records] == [
        "the tracker `Notes` (…: SystemExit: 0) failed and gets nothing more; `metrics.jsonl` has every number",
        "the tracker `Unclosed` (…: TypeError: 'NoneType' object is not callable) failed and gets nothing more; `metrics.jsonl` "
        "has every number",
        "the tracker `Unclosed` (…: SystemExit: 0) could not be closed",
    ]
    with pytest.raises(KeyboardInterrupt):
        shop(folder, tmp_path, Notes(fails_at=0, error=KeyboardInterrupt())).metric(step=0)


@pytest.mark.parametrize("name", SHIPPED)
def test_ours_keep_the_contract_in_their_offline_modes(name: str, tmp_path: Path, capfd) -> None:
    pytest.importorskip(name, reason=f"the extra `{name}` is not installed (`make test-trackers` installs it)")
    check_tracker(find("tracker", name).open_tracker, tmp_path)
    assert capfd.readouterr().out == ""  # stdout is for results


def test_tensorboard_has_every_number(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracker = find("tracker", "tensorboard").open_tracker(TrackedRun("r", "r", "id", tmp_path, {}))
    for step in range(3):
        tracker.add("learn 2", step, {"loss": 1.0 / (step + 1), "margin": 0.5 * step})
    tracker.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard/learn-2")).Reload()
    assert set(events.Tags()["tensors"]) == {"loss", "margin"}
    found = [(e.step, e.tensor_proto.float_val[0]) for e in events.Tensors("loss")]
    assert found == [(step, pytest.approx(1.0 / (step + 1))) for step in range(3)]


def test_trackio_has_every_number_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackio = pytest.importorskip("trackio", reason="the extra `trackio` is not installed (`make test-trackers`)")
    folder = Path(trackio.utils.TRACKIO_DIR)  # read when it was imported
    tracker = find("tracker", "trackio").open_tracker(TrackedRun("r/arm", "r", "id", tmp_path, {"beta": 0.3}))
    for step in range(3):
        tracker.add("learn 2", step, {"loss": 1.0 / (step + 1)})
    tracker.close()
    with sqlite3.connect(folder / "orcamath.db") as db:
        rows = db.execute("SELECT step, metrics FROM metrics WHERE run_name = 'r/arm learn 2' ORDER BY step").fetchall()
    assert [(step, json.loads(numbers)["loss"]) for step, numbers in rows] == [
        (step, pytest.approx(1.0 / (step + 1))) for step in range(3)
    ]


def test_wandb_writes_into_the_run_folder_where_it_is_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed (`make test-trackers`)")
    tracker = find("tracker", "wandb").open_tracker(TrackedRun("r", "r", "id", tmp_path, {}))
    for step in range(3):
        tracker.add("learn 2", step, {"margin_of_ours": 1.0 / (step + 1)})
    tracker.close()
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    assert content.count(b"margin_of_ours") >= 3
    assert b"learn 2" in content
    assert str(Path.cwd()).encode() not in content  # nothing of the machine


@pytest.mark.parametrize("name", SHIPPED)
def test_without_its_package_a_tracker_is_refused_by_name(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, {"tensorboard": "tensorboard.summary"}.get(name, name), None)
    with pytest.raises(RecipeError, match=rf"trackers: \[{name}\].*pip install 'orcamath\[{name}\]'.*metrics.jsonl"):
        find("tracker", name).open_tracker(TrackedRun("r", "r", "id", tmp_path, {}))


def test_a_recipe_names_them_and_an_older_one_said_tensorboard(tmp_path: Path) -> None:
    assert set(SHIPPED) <= set(members("tracker"))
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ntensorboard: true\n")
    assert load(str(path)).trackers == ("tensorboard",)
    path.write_text("name: r\ntensorboard: false\n")
    assert load(str(path)).trackers == ()
    path.write_text("name: r\ntrackers: [wandbb]\n")
    with pytest.raises(RecipeError, match=r"trackers\.0: there is no tracker `wandbb`; did you mean `wandb`\?"):
        check(load(str(path)), tmp_path, everything=False).require("r")
