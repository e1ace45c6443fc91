"""A key typed in the wrong place: on the command line, in a setting, in an address. It is neither kept nor repeated."""

from pathlib import Path

import pytest

from commanding import call
from orcamath.store.literals import masked, shown
from orcamath.store.run_folder import RunFolder

KNOWN, OWN = "sk-" + "0123456789abcdefABCDEF_01", "told-by-its-place"
"""A key of a known form, put together so that no file has one, and one that only its place tells."""
INIT = ["init", "--seeds", "seeds.jsonl", "--out", "out.yaml"]
PLAN = ["plan", "classroom", "--set"]
TYPED: dict[str, list[str]] = {
    "init, a password in the address": [*INIT, "--teacher", "m", "--base-url", f"https://me:{OWN}@host.example/v1"],
    "init, a user alone": [*INIT, "--teacher", "m", "--base-url", f"https://{OWN}@host.example/v1"],
    "init, a field of the address": [*INIT, "--teacher", "m", "--base-url", f"https://host.example/v1?api-key={OWN}"],
    "init, no address": [*INIT, "--teacher", "m", "--base-url", f"ftp://me:{OWN}@host.example?token={OWN}"],
    "init, as the teacher": [*INIT, "--teacher", KNOWN],
    "init, as the student": [*INIT, "--teacher", "m", "--student", KNOWN],
    "torn YAML": [*PLAN, f"teacher.headers={{Authorization: {OWN}"],
    "torn YAML of a header": [*PLAN, f"teacher.headers.Authorization=[{OWN}"],
    "a header that is a list": [*PLAN, f"teacher.headers.Authorization=[{OWN}]"],
    "a header that is a mapping": [*PLAN, f"teacher.headers.X={{token: {OWN}}}"],
    "headers in a list": [*PLAN, f"teacher.headers=[{{Authorization: {OWN}}}]"],
    "a section that is a key": [*PLAN, f"teacher={KNOWN}"],
    "no equals sign": [*PLAN, f"OPENAI_API_KEY:{OWN}"],
    "nothing but a key": [*PLAN, KNOWN],
    "no key before the sign": [*PLAN, f"={OWN}"],
    "the key for its variable": [*PLAN, f"teacher.api_key_env={OWN}-x"],
    "an alias": [*PLAN, f"teacher.model=*{KNOWN}"],
    "a tag": [*PLAN, f"teacher.model=!{KNOWN} x"],
    "an address of another kind": [*PLAN, f"teacher.base_url=ftp://host.example/v1?api-key={OWN}"],
    "model@address": ["ask", f"m@http://me:{OWN}@127.0.0.1:9/v1", "How many?"],
    "ask, a field of the address": ["ask", "m", "How many?", "--base-url", f"http://127.0.0.1:9/v1?token={OWN}"],
    "ask, as the model": ["ask", KNOWN, "How many?"],
    "evaluate": ["evaluate", f"m@http://me:{OWN}@127.0.0.1:9/v1", "--on", "own=rows.jsonl"],
    "judge": ["judge", "rows.jsonl", "--model", "m", "--base-url", f"http://me:{OWN}@127.0.0.1:9/v1"],
    "check": ["check", "seeds.jsonl", "--against", f"https://me:{OWN}@host.example/x.jsonl"],
    "an argument too many": ["plan", "classroom", KNOWN],
    "no such recipe": ["plan", f"{KNOWN}.yaml"],
    "no such option": ["plan", "classroom", f"--key={KNOWN}"],
}


@pytest.mark.parametrize("typed", TYPED)
def test_it_is_neither_kept_nor_repeated(typed: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    Path("rows.jsonl").write_text('{"question": "1 + 1?", "gold": "2", "response": "well"}\n')
    done = call(*TYPED[typed])
    assert done.code in (1, 2)
    assert done.err.strip()
    for key in (KNOWN, OWN):
        assert key not in done.out + done.err
        assert not any(key.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert not Path("out.yaml").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"redirects to `https://me:{OWN}@host/v1`", "redirects to `https://***@host/v1`"),
        (f"https://host/v1?api-key={OWN}&n=1", "https://host/v1?api-key=***&n=1"),
        (f"used {KNOWN}, refused", "used ***, refused"),
        ("mail me@host.example, 3 / 4 @ 5", "mail me@host.example, 3 / 4 @ 5"),
        ("`api_key_env: NAME` names it; `?max_tokens=5`", "`api_key_env: NAME` names it; `?max_tokens=5`"),
    ],
)
def test_what_a_message_repeats_has_no_key_in_it(said: str, told: str, tmp_path: Path) -> None:
    assert masked(said) == told
    with RunFolder(tmp_path / "r") as folder:
        folder.log(said)
    assert (tmp_path / "r" / "log.txt").read_text().rstrip().endswith(told)


@pytest.mark.parametrize(
    ("value", "path", "told"),
    [
        ("x", ["teacher", "concurrency"], "'x'"),
        (OWN, ["teacher", "headers", "X-Api-Key"], "'***'"),
        ({"n": 1, "secret": {"a": OWN}}, ["teacher", "body"], "{'n': 1, 'secret': '***'}"),
        ([{"token": OWN}, "y"], [], "[{'token': '***'}, 'y']"),
    ],
)
def test_a_setting_is_repeated_without_what_its_name_tells(value: object, path: list[str], told: str) -> None:
    assert shown(value, path) == told
