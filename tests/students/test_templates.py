"""Training ids are the template's ids and the right end; control tokens in data stay text; thoughts and dates."""

from pathlib import Path

import pytest

from orcamath.ports import Message
from orcamath.student.changes import changes
from orcamath.student.encode import Encoder
from orcamath.student.model import save
from tiny_student import tiny_model
from tiny_templates import LLAMA2, TEMPLATES, Family, bytewise, pieces

NOW = "{{ strftime_now('%d %B %Y') }}"
QUESTION, ANSWER = "Tom has 2+3 pears?", "2+3 = 5. #### 5"
ALL = {**{name: (f, bytewise) for name, f in TEMPLATES.items()}, "llama 2 (legacy)": (LLAMA2, pieces)}


def encoder_of(name: str) -> tuple[Family, Encoder]:
    family, make = ALL[name]
    tokenizer = make(family)
    return family, Encoder(tokenizer, ends=tokenizer.convert_tokens_to_ids(list(family.ends)))


@pytest.mark.parametrize("name", ALL)
def test_prompt_and_answer_are_the_templates_ids_and_its_end(name: str) -> None:
    family, encoder = encoder_of(name)
    question = QUESTION.lower() if name.startswith("llama 2") else QUESTION
    tokenizer = encoder.tokenizer
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": ANSWER}]
    dated = family.template.replace(NOW, "26 July 2024")
    whole = tokenizer.apply_chat_template(turns, chat_template=dated, tokenize=False)
    if name == "deepseek r1":  # its template forgets the block that its prompt opens; an answer closes it
        whole = whole.replace(f"<|Assistant|>{ANSWER}", f"<|Assistant|><think>\n\n</think>\n\n{ANSWER}")
    if name == "glm 4":  # its template ends no turn; an answer is ended by eos
        whole += family.eos
    template_ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    ours = [*encoder.prompt(question), *encoder.answer(ANSWER)]
    assert ours == template_ids[: len(ours)]
    assert ours[-1] == tokenizer.convert_tokens_to_ids(family.end) == encoder.eos_id
    assert tokenizer.decode(template_ids[len(ours) :]).strip() in ("", family.eos)
    assert encoder.stop_ids == set(tokenizer.convert_tokens_to_ids([family.end, family.eos, *family.ends]))


@pytest.mark.parametrize("name", ALL)
def test_an_answer_comes_back_as_it_was_given(name: str) -> None:
    _, encoder = encoder_of(name)
    assert encoder.decode(encoder.answer(ANSWER)).strip() == ANSWER


@pytest.mark.parametrize("name", ALL)
def test_control_tokens_in_a_question_or_an_answer_stay_text(name: str) -> None:
    family, encoder = encoder_of(name)
    ids = {
        i: t for t, i in zip(family.control, encoder.tokenizer.convert_tokens_to_ids(list(family.control)), strict=True)
    }
    plain, spelled = encoder.prompt("a b"), encoder.prompt(f"a {''.join(family.control)} b")
    assert [i for i in spelled if i in ids] == [i for i in plain if i in ids]
    given = encoder.answer(f"5 {family.end} 6")
    assert [i for i in given if i in ids] == [i for i in encoder.answer("5") if i in ids]


def test_a_blank_before_an_answer_is_not_doubled() -> None:
    encoder = Encoder(pieces(LLAMA2))
    said = encoder.tokenizer.convert_ids_to_tokens(list(encoder.answer("is 5")))
    assert said == ["▁is", "▁", "5", "▁", "</s>"]
    base = pieces(LLAMA2._replace(template=""))
    assert base.convert_ids_to_tokens(list(Encoder(base).answer("is 5", finished=False)))[:2] == ["▁is", "▁"]


def test_a_thought_is_no_part_of_an_answer() -> None:
    for name, said in [
        ("deepseek r1", f"let me see: 2+3\n</think>\n\n{ANSWER}"),
        ("qwen3", f"<think>\nlet me see: 2+3\n</think>\n\n{ANSWER}"),
        ("qwen3", f"<think>\n\n</think>\n\n{ANSWER}"),
        ("qwen3", ANSWER),
        ("gpt-oss", f"<|channel|>analysis<|message|>2+3<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}"),
    ]:
        _, encoder = encoder_of(name)
        ids = encoder.tokenizer(said, add_special_tokens=False)["input_ids"]
        assert encoder.decode([*ids, encoder.eos_id]) == ANSWER, name


def test_an_answer_that_brings_its_thought_gets_no_second_block() -> None:
    for name, expected in [("qwen3", "<think>\nfive\n</think>\n\n5"), ("deepseek r1", "five\n</think>\n\n5")]:
        _, encoder = encoder_of(name)
        ids = encoder.answer("<think>\nfive\n</think>\n\n5", finished=False)
        assert encoder.tokenizer.decode(ids) == expected


def test_a_prompt_does_not_change_overnight() -> None:
    _, encoder = encoder_of("smollm3")
    assert "26 July 2024" in encoder.tokenizer.decode(encoder.chat([Message("user", "q")]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chatml (Qwen2.5, SmolLM2)", ("ends",)),
        ("granite", ("ends",)),
        ("olmo", ()),
        ("qwen3", ("ends", "template")),
        ("deepseek r1", ("ends", "template")),
        ("smollm3", ("ends", "template")),
        ("llama 2 (legacy)", ("ends", "prefix")),
    ],
)
def test_models_whose_ids_or_ends_change_have_another_fingerprint(
    name: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    _, encoder = encoder_of(name)
    save(tiny_model(), encoder.tokenizer, tmp_path / "model")
    for file in ("config.json", "generation_config.json"):
        path = tmp_path / "model" / file
        path.write_text(
            path.read_text().replace('"eos_token_id": 2', f'"eos_token_id": {encoder.tokenizer.eos_token_id}')
        )
    assert changes(tmp_path / "model") == expected
