"""What a run, its arms and `status` say in a terminal: few lines, each with its arm, and a score table of 80 columns."""

import io
import json
import logging
import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from orcamath.commands.standing import lines_of
from orcamath.ports import Silent
from orcamath.report.fold import fold
from orcamath.report.progress import ArmsLine
from orcamath.report.table import tables
from orcamath.store.artifacts import Store
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands, Keeper
from orcamath.terminal import logged
from orcamath.view.live import now_of
from report_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    return make_run(tmp_path_factory.mktemp("run"))


def printed(run: tuple[Path, Store], width: int) -> list[str]:
    folder, store = run
    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True)
    for table in tables(fold(folder, store)):
        if "greedy pass@1" in str(getattr(table, "title", "")):
            console.print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_score_table_fits_80_columns_with_no_figure_broken(run: tuple[Path, Store]) -> None:
    lines, wide = printed(run, 80), printed(run, 300)
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    figures = [w for line in wide for w in line.split() if any(c.isdigit() for c in w)]
    assert all(figure in words for figure in figures)
    text = "\n".join(lines)
    for row in fold(*run).rows:
        assert f"{100 * row.score.point:.1f} [{100 * row.score.low:.1f}, {100 * row.score.high:.1f}]" in text
    assert "a: over M1" in text
    assert "b: over more SFT" in text


def test_status_of_a_finished_run(run: tuple[Path, Store]) -> None:
    now = now_of(*run)
    assert json.loads(json.dumps(now.plain()))["money"].keys() == {"spent", "cap", "by_stage", "doubt", "held"}
    lines = list(lines_of(now))
    assert lines[0] == "trial: done"
    assert not any("go on" in line or "to come" in line for line in lines)
    assert "arm KTO + NLL: done" in lines
    shared = [line for line in lines if "shared:" in line]
    assert len(shared) == 3  # what arms share is one line each
    assert any("warning: chosen_logp_fell" in line for line in lines[lines.index("arm KTO + NLL: done") :])


def begun(folder: Path, expected: list[str]) -> Keeper:
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("name: mine\nbudget: {cap_usd: 50}\nvariants: {KTO: {}}\n")
    return Keeper(RunFolder(folder), Silent(), Commands.always("orcamath run mine --limit 3"), expected)


def test_status_of_a_run_at_work_and_after_it_stopped(tmp_path: Path) -> None:
    folder, store = tmp_path / "runs" / "mine", Store(tmp_path / "store")
    keeper = begun(folder, ["seeds", "ask", "teach"])
    keeper.stage("seeds")
    keeper.begin("read", 40)
    lines = list(lines_of(now_of(folder, store)))
    assert lines[:4] == [
        "mine: running",
        "  under way  seeds, read: 0 of 40",
        "  next       ask",
        "  spent      $0.00 of $50.00",
    ]
    assert "arm KTO: waiting" in lines
    assert not any("go on" in line for line in lines)

    with pytest.raises(RuntimeError), keeper.until_end():
        raise RuntimeError("no \x1b[31mroom\nleft")
    lines = list(lines_of(now_of(folder, store)))
    assert lines[:3] == ["mine: failed", "  why        no \x1b[31mroom", "  why        left"]
    assert "  go on      orcamath run mine --limit 3" in lines
    assert not any("under way" in line for line in lines)


def test_a_run_whose_process_died_is_not_called_running(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    begun(folder, ["seeds"]).stage("seeds")
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"began_at": 1.0}))  # its number is another process's now
    lines = list(lines_of(now_of(folder, Store(tmp_path / "store"))))
    assert lines[0] == "mine: not running; its process ended without a word"
    assert "  go on      orcamath run mine --limit 3" in lines


def test_the_line_of_the_arms_tells_each_ones_stage_count_rate_and_money(tmp_path: Path) -> None:
    for name, label in (("kto", "practice 2"), ("more-sft", "imitate 2")):
        keeper = begun(tmp_path / "arms" / name, [label])
        keeper.stage(label)
        keeper.begin("x", 100)
        now = time.time()
        path = tmp_path / "arms" / name / "state.json"
        state = json.loads(path.read_text())
        path.write_text(json.dumps(state | {"n": 20, "what_at": now - 10, "at": now, "process": os.getpid()}))
    line = ArmsLine(tmp_path, lambda: (1.25, 50.0)).text()
    assert line == (
        "kto: practice 2 20 of 100, 2.0/s, 40 s left · more-sft: imitate 2 20 of 100, 2.0/s, 40 s left · $1.25 spent of $50.00"
    )


def test_what_an_arm_warns_of_carries_its_name(caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    with logged(lambda line: said.append(f"[kto] {line}")):
        logging.getLogger("orcamath.wire").warning("slow by %d s", 3)
        logging.getLogger("orcamath").info("not told")
    logging.getLogger("orcamath").warning("after it")
    assert said == ["[kto] slow by 3 s"]
