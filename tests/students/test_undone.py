"""Failures of other people's trainers and servers that once were ours: each fix undone, one at a time, and the test that sees it.

A row says what went wrong, where the fix is, and which test fails without it. The fix is undone in a copy of the source; a row
whose text is no longer there fails at once, so the table cannot fall behind the code.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
STUDENTS = "tests/students/test_{}.py::test_{}"
UNIT = "tests/unit/test_{}.py::test_{}"
OWN = "scores_samples_gradients_and_files_are_the_models_own[{}]"


class Undone(NamedTuple):
    """A fix, and what notices that it is gone."""

    failure: str
    file: str
    fix: str
    without: str
    test: str


BARE = ("student/head.py", "matrix is not None and torch.equal(matrix(hidden), apart)", "matrix is not None")
WINDOW = ("student/slots.py", "self.window = window(config)", "self.window = None")
TABLE = [
    Undone("Granite's scale of logits ignored", *BARE, STUDENTS.format("architectures", OWN.format("granite"))),
    Undone("Cohere's scale of logits ignored", *BARE, STUDENTS.format("architectures", OWN.format("cohere"))),
    Undone("Gemma-2's cap of logits not sampled with", *BARE, STUDENTS.format("architectures", OWN.format("gemma2"))),
    Undone("wrong tokens past a window", *WINDOW, STUDENTS.format("architectures", OWN.format("mistral, window"))),
    Undone(
        "a prompt longer than a window crashes",
        "student/sampling.py",
        "cache = DynamicCache()  # not",
        "cache = DynamicCache(config=model.config)  # not",
        STUDENTS.format("architectures", OWN.format("gemma3")),
    ),
    Undone(
        "a turn's end that has no role is neither trained nor stops",
        "student/encode.py",
        "self._special = special | {i: t",
        "self._special = {i: t",
        STUDENTS.format("templates", "prompt_and_answer_are_the_templates_ids_and_its_end"),
    ),
    Undone(
        "generation_config's list of ends ignored",
        "student/encode.py",
        "{int(self.tokenizer.eos_token_id), *self._declared}",
        "{int(self.tokenizer.eos_token_id)}",
        STUDENTS.format("templates", "prompt_and_answer_are_the_templates_ids_and_its_end"),
    ),
    Undone(
        "a question spells a control token",
        "student/encode.py",
        'found[0][0] + " " + found[0][1:]',
        "found[0]",
        STUDENTS.format("templates", "control_tokens_in_a_question_or_an_answer_stay_text"),
    ),
    Undone(
        "a student is saved with its base's end",
        "student/ends.py",
        "config.eos_token_id = end",
        "pass",
        STUDENTS.format("saving", "a_trained_student_ends_where_generate_ends_and_leaves_no_sampling_of_its_bases"),
    ),
    Undone(
        "a base's rules of sampling are left in the student's files",
        "student/ends.py",
        "model.generation_config = GenerationConfig(\n",
        "model.generation_config = GenerationConfig(\n        repetition_penalty=model.generation_config.repetition_penalty,\n",
        STUDENTS.format("saving", "a_trained_student_ends_where_generate_ends_and_leaves_no_sampling_of_its_bases"),
    ),
    Undone(
        "requests to a student's server name no ends",
        "backends/student_server.py",
        '"stop_token_ids": list(self.ends)',
        '"stop_token_ids": []',
        UNIT.format("student_server", "a_request_carries_the_students_ends_and_neutral_values"),
    ),
    Undone(
        "a thought that the prompt opens stays in the answer",
        "student/turn.py",
        "if self.thinks and _CLOSE in text:",
        "if False:",
        STUDENTS.format("templates", "a_thought_is_no_part_of_an_answer"),
    ),
    Undone(
        "an open thought is not closed in what is trained",
        "student/turn.py",
        'lead = lead[len(block) :] if lead.startswith(block) else f"{gap}{_CLOSE}\\n\\n{lead}"',
        "pass",
        STUDENTS.format("templates", "prompt_and_answer_are_the_templates_ids_and_its_end"),
    ),
    Undone(
        "Qwen3's empty block doubled",
        "student/turn.py",
        "if not closed or not self.thinks:",
        "if True:",
        STUDENTS.format("templates", "an_answer_that_brings_its_thought_gets_no_second_block"),
    ),
    Undone(
        "a prompt changes overnight",
        "student/encode.py",
        'if "strftime_now" in template:',
        "if False:",
        STUDENTS.format("templates", "a_prompt_does_not_change_overnight"),
    ),
    Undone(
        "a blank doubled before an answer of a sentence-piece vocabulary",
        "student/encode.py",
        "return both[len(ids) :] if both[: len(ids)] == ids else self._ids(text)",
        "return self._ids(text)",
        STUDENTS.format("templates", "a_blank_before_an_answer_is_not_doubled"),
    ),
    Undone(
        "an adapter on tied embeddings is lost when merged",
        "student/adapters.py",
        "    if tied and (",
        "    if not made and (",
        STUDENTS.format("saving", "an_adapter_on_tied_embeddings_is_refused_and_on_untied_ones_is_what_was_trained"),
    ),
    Undone(
        "a failed batch keeps its reason to itself",
        "backends/openai_batch.py",
        'f": {intent.reason}" if intent.reason else ""',
        '""',
        UNIT.format("openai_batch", "a_batch_that_failed_says_why"),
    ),
    Undone(
        "a refused parameter of a batch is settled as an error",
        "backends/openai_batch.py",
        "if self._quirks.learn(intent.fields, payload)}",
        "if False and self._quirks.learn(intent.fields, payload)}",
        UNIT.format("openai_batch", "a_refused_parameter_is_learnt_and_the_calls_are_sent_again"),
    ),
    Undone(
        "near-duplicates compare numbers as a bag",
        "duplicates/likeness.py",
        "values = [str(q.value) for q in quantities(text) if",
        "values = [str(q.value) for q in sorted(quantities(text)) if",
        UNIT.format("duplicates", "other_places_of_numbers_or_another_known_answer_are_another_problem"),
    ),
    Undone(
        "problems with two known answers are one",
        "stages/collect.py",
        "if me.answer is not None and other.answer is not None and me.answer != other.answer:",
        "if False:",
        UNIT.format("duplicates", "other_places_of_numbers_or_another_known_answer_are_another_problem"),
    ),
    Undone(
        "of two columns with one name the last is taken",
        "sources/rows.py",
        "if twice := [name for name, n in Counter(names).items() if n > 1]:",
        "if False:",
        UNIT.format("sources_rows", "a_column_that_is_named_twice_is_refused_and_blanks_around_names_are_none"),
    ),
    Undone(
        "a column with blanks around its name is not found",
        "sources/rows.py",
        "(_unquoted(name) if tabs else name).strip() for",
        "(_unquoted(name) if tabs else name) for",
        UNIT.format("sources_rows", "a_column_that_is_named_twice_is_refused_and_blanks_around_names_are_none"),
    ),
]


def test_every_fix_is_where_its_row_says() -> None:
    said = {
        row.failure: (ROOT / "src" / "orcamath" / row.file).read_text(encoding="utf-8").count(row.fix) for row in TABLE
    }
    assert {failure: n for failure, n in said.items() if n != 1} == {}


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=[row.failure for row in TABLE])
def test_without_its_fix_a_failure_is_seen(row: Undone, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "src" / "orcamath" / row.file
    file.write_text(file.read_text(encoding="utf-8").replace(row.fix, row.without), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", row.test],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, " failed" in done.stdout) == (1, True), done.stdout[-2000:]
