"""Published results: facts of the data file, and protocols that are never mixed."""

import pytest

from orcamath.scoring.published import Published, ours, placed_among, published


def test_rows_say_where_they_come_from_and_are_possible_scores() -> None:
    rows = published()
    assert len({(r.benchmark, r.model, r.size, r.protocol) for r in rows}) == len(rows)
    assert {r.format for r in rows} == {"natural language", "code", "words and code", "not stated"}
    for row in rows:
        assert row.source
        assert 0 < row.score < 100
        assert (row.calls_per_answer == 1) == (row.protocol == "pass@1")


def test_the_papers_own_row_of_steps() -> None:
    steps = {r.model.removeprefix("Orca-Math "): r.score for r in published("GSM8K") if r.model.startswith("Orca-Math")}
    assert steps == {
        "SFT (M1)": 79.91,
        "SFT, SFT": 81.5,
        "SFT, SFT, SFT": 80.44,
        "SFT, DPO": 84.23,
        "SFT, KTO": 85.06,
        "SFT, KTO, DPO": 84.91,
        "SFT, KTO, KTO": 86.81,
    }
    for score in steps.values():  # each is a count of 1,319, rounded
        assert min(abs(score - 100 * k / 1319) for k in range(1320)) < 0.005


THE_PAPERS_TABLE = {
    "MAmmoTH, in the paper’s table": {"7B": 59.4, "12B": 64.7, "34B": 72.7, "70B": 76.9},
    "Mistral": {"7B": 52.2},
    "Mixtral": {"8×7B": 58.4},
    "OVM (Llama-2)": {"7B + 7B": 73.7},
    "OVM (Mistral)": {"7B + 7B": 84.7},
    "Orca 2": {"7B": 55.72, "13B": 65.73},
    "Gemini Pro": {"not published": 86.5},
    "GPT-4-0613": {"not published": 97.0},
    "Phi-1.5": {"1.3B": 44.6},
    "Phi-GSM": {"125M": 63.1, "350M": 65.9, "1.3B": 68.2},
    "Phi-GSM + verifier": {"125M + 125M": 68.9, "350M + 350M": 71.3, "1.3B + 1.3B": 81.5},
}
PROTOCOLS = {
    "Mistral": "maj@8",
    "Mixtral": "maj@8",
    "OVM (Llama-2)": "verifier@100",
    "OVM (Mistral)": "verifier@100",
    "Gemini Pro": "maj@32",
    "Phi-GSM + verifier": "verifier@48",
}


@pytest.mark.parametrize("model", THE_PAPERS_TABLE)
def test_the_papers_main_table_is_whole(model: str) -> None:
    protocol = PROTOCOLS.get(model, "pass@1")
    rows = {r.size: r for r in published("GSM8K") if (r.model, r.protocol) == (model, protocol)}
    assert {size: rows[size].score for size in THE_PAPERS_TABLE[model]} == THE_PAPERS_TABLE[model]
    if model.startswith("MAmmoTH"):
        assert [rows[size].format for size in ("7B", "12B", "34B", "70B")] == ["code"] * 3 + ["natural language"]


def names(rows: list[Published]) -> list[str]:
    return [r.model for r in rows]


def test_ours_stand_among_their_own_protocol_only() -> None:
    greedy = ours("M3", "GSM8K", 1319, 0.83)
    voted = ours("M3 maj@8", "GSM8K", 1319, 0.86, protocol="maj@8", calls=8)
    few = ours("M3", "GSM8K", 30, 0.9)
    groups = placed_among([greedy, voted, few])
    assert list(groups) == ["GSM8K, 1,319 items, pass@1", "GSM8K, 1,319 items, maj@8", "GSM8K, 30 items, pass@1"]
    first = groups["GSM8K, 1,319 items, pass@1"]
    assert {r.protocol for r in first} == {"pass@1"}
    assert [r.score for r in first] == sorted((r.score for r in first), reverse=True)
    assert names(first).index("Orca-Math SFT, DPO") < names(first).index("M3") < names(first).index("MetaMath")
    assert names(groups["GSM8K, 1,319 items, maj@8"]) == ["M3 maj@8", "Mixtral", "Mistral"]
    assert names(groups["GSM8K, 30 items, pass@1"]) == ["M3"]


def test_a_share_becomes_percent() -> None:
    assert ours("x", "GSM8K", 4, 0.75).score == pytest.approx(75.0)
