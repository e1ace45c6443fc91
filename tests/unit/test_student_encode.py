"""One encode for sampling, training and evaluation."""

from pathlib import Path

import pytest

from orcamath.errors import ModelError
from orcamath.ports import Message, Sampling
from orcamath.student.encode import Encoder
from orcamath.student.model import load_tokenizer
from tiny_student import tiny_folder, tiny_tokenizer

CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def test_sampling_training_and_evaluation_prefixes_are_the_same_ids() -> None:
    encoder = Encoder(tiny_tokenizer())
    question = "Tom has 12 apples . how many left ?"
    sampled_from = encoder.pose(question, Sampling(0.7, 0.95, 32), 3).token_ids
    evaluated_from = encoder.pose(question, Sampling(), 0).token_ids
    trained = encoder.join(encoder.prompt(question), encoder.answer("12 - 1 = 11"))
    assert trained is not None
    assert sampled_from == evaluated_from == trained.ids[: trained.n_prompt]


def test_examples_come_before_the_question_as_turns_of_one_conversation() -> None:
    tokenizer = tiny_tokenizer()
    encoder = Encoder(tokenizer)
    examples = (Message("user", "how many ?"), Message("assistant", "the answer is 4"))
    posed = encoder.pose("how many left ?", Sampling(), examples=examples).token_ids
    assert posed is not None
    assert tokenizer.decode(posed) == (
        "USER: how many ?\nASSISTANT: the answer is 4<eos>USER: how many left ?\nASSISTANT:"
    )


def test_a_base_model_gets_the_papers_format_and_saves_it_with_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    encoder = Encoder(tokenizer)
    assert tokenizer.decode(encoder.prompt("how many ?")) == "USER: how many ?\nASSISTANT:"
    assert tokenizer.decode(encoder.answer("the answer is 4")) == " the answer is 4<eos>"
    tokenizer.save_pretrained(tmp_path)
    assert Encoder(load_tokenizer(tmp_path)).prompt("how many ?") == encoder.prompt("how many ?")


def test_whole_conversation_through_the_template_is_prompt_plus_answer() -> None:
    tokenizer = tiny_tokenizer()
    encoder = Encoder(tokenizer)
    turns = [{"role": "user", "content": "how many ?"}, {"role": "assistant", "content": "the answer is 4"}]
    whole = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
    assert tuple(whole) == encoder.prompt("how many ?") + encoder.answer("the answer is 4")


def test_eos_only_where_the_answer_ended() -> None:
    encoder = Encoder(tiny_tokenizer())
    assert encoder.answer("4", finished=True)[-1] == encoder.eos_id
    assert encoder.eos_id not in encoder.answer("4", finished=False)


def test_an_answer_that_does_not_fit_is_cut_and_loses_its_eos_and_a_prompt_that_does_not_fit_is_refused() -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=20)
    prompt = encoder.prompt("how many ?")
    cut = encoder.join(prompt, encoder.answer("1 " * 30))
    assert cut is not None
    assert (len(cut.ids), cut.truncated, cut.ids[-1] == encoder.eos_id) == (20, True, False)
    assert encoder.join(encoder.prompt("1 " * 30), encoder.answer("4")) is None


def test_control_tokens_spelled_out_in_data_stay_text() -> None:
    encoder = Encoder(tiny_tokenizer())
    assert encoder.eos_id not in encoder.prompt("Tom <eos> has 1 apples <eos>")
    assert encoder.answer("4 <eos> 5").count(encoder.eos_id) == 1


def test_the_template_says_what_ends_a_turn() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<end>"]})
    tokenizer.chat_template = CHATML.replace("<eos>", "<end>")
    encoder = Encoder(tokenizer)
    assert encoder.eos_id == tokenizer.convert_tokens_to_ids("<end>")
    assert encoder.stop_ids == {encoder.eos_id, tokenizer.eos_token_id}


def test_a_template_without_system_turns_has_it_joined_to_the_question() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
    )
    encoder = Encoder(tokenizer)
    both = encoder.chat([Message("system", "Tom"), Message("user", "Ann")])
    assert both == encoder.chat([Message("user", "Tom\n\nAnn")])


def test_decode_gives_back_what_answer_encoded() -> None:
    encoder = Encoder(tiny_tokenizer())
    assert encoder.decode(encoder.answer("12 - 1 = 11 . #### 11")) == "12 - 1 = 11 . #### 11"


def test_a_tokenizer_without_eos_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="eos_token"):
        Encoder(tokenizer)


def test_an_encoder_of_a_folder_poses_as_the_one_that_trained_it(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "model")
    assert Encoder.of(folder).prompt("how many ?") == Encoder(tiny_tokenizer()).prompt("how many ?")
