"""The pupil: its tokenizer loses nothing, its base weights are small, whole, and made from structures that are not held out."""

import json
import random
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.answers import worked
from orcamath.classroom.grammar import parse_story, render
from orcamath.classroom.growing import held_out, stories
from orcamath.classroom.pretrain import Phase, PretrainPlan, pretrain, reading, reseeded, seen
from orcamath.classroom.pupil import END, pupil, tokenizer
from orcamath.classroom.solutions import STYLES, written
from orcamath.classroom.solving import solve
from orcamath.classroom.weights import folder

WORDS = tokenizer()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_survives_encoding(text: str) -> None:
    assert WORDS.decode(WORDS(text)["input_ids"]) == text


def test_a_word_is_one_token_and_a_number_one_a_digit() -> None:
    for story in islice(stories(random.Random(8)), 200):
        for text in [render(story), *(written(solve(story), style) for style in range(STYLES))]:
            tokens = WORDS.convert_ids_to_tokens(WORDS(text)["input_ids"])
            joined = [t.lstrip("Ġ") for t in tokens]
            assert not [t for t in joined if t.isdigit() and len(t) > 1]
            words = "".join(c if c.isalpha() else " " for c in text).split()
            assert [t for t in joined if t.isalpha() and t != "Ċ"] == words


def test_the_prompt_is_a_prefix_of_what_is_trained() -> None:
    asked = [{"role": "user", "content": "Mia had 12 apples."}]
    prompt = WORDS.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = WORDS.apply_chat_template([*asked, {"role": "assistant", "content": "#### 3"}], tokenize=False)
    assert prompt == "USER: Mia had 12 apples.\nASSISTANT:\n"
    assert whole == prompt + "#### 3" + END


def test_pre_training_never_sees_a_held_out_structure() -> None:
    assert not any(held_out(story) for story in islice(seen(random.Random(3)), 2000))
    questions = [question for question, _ in reading(Phase(500, 11, 1e-3))]
    assert len(questions) == 500
    assert not any(held_out(parse_story(question)) for question in questions)


def test_pre_training_reads_forward_problems_worked_out_or_bare_and_never_an_inverse_one() -> None:
    for phase, share in ((Phase(400, 11, 1e-3), 1.0), (Phase(400, 13, 1e-3, bare=0.7), 0.3)):
        read = list(reading(phase))
        assert all(parse_story(question).forward for question, _ in read)
        assert sum(worked(answer) for _, answer in read) / len(read) == pytest.approx(share, abs=0.08)


def test_another_seed_is_another_base_of_the_same_kind() -> None:
    first, other = PretrainPlan(), reseeded(PretrainPlan(), 2)
    assert reseeded(first, 0) == first
    assert other.weights_seed != first.weights_seed
    assert [p.problems for p in other.phases] == [p.problems for p in first.phases]
    assert {p.seed for p in other.phases}.isdisjoint(p.seed for p in first.phases)


def test_the_shipped_base_is_small_and_says_how_it_was_made() -> None:
    files = {p.name: p.stat().st_size for p in folder().iterdir()}
    assert files["model.safetensors"] <= 8_000_000
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    made = json.loads((folder() / "provenance.json").read_text())
    assert [Phase(**p) for p in made["plan"]["phases"]] == list(PretrainPlan().phases)
    assert (made["plan"]["weights_seed"], made["parameters"]) == (PretrainPlan().weights_seed, 890_496)
    config = json.loads((folder() / "config.json").read_text())
    assert config["vocab_size"] == len(WORDS)


def test_the_shipped_tokenizer_is_the_one_the_classroom_builds() -> None:
    from transformers import AutoTokenizer

    shipped = AutoTokenizer.from_pretrained(folder())
    assert shipped.get_vocab() == WORDS.get_vocab()
    assert shipped.chat_template == WORDS.chat_template


def test_a_fresh_pupil_is_reproducible_and_below_a_million_parameters() -> None:
    one, same, other = (pupil(WORDS, seed) for seed in (1, 1, 2))
    assert 800_000 < sum(p.numel() for p in one.parameters()) < 1_000_000
    first = [next(m.parameters()) for m in (one, same, other)]
    assert bool((first[0] == first[1]).all())
    assert not bool((first[0] == first[2]).all())


def test_the_script_makes_a_folder_that_loads(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaForCausalLM

    short = PretrainPlan(phases=(Phase(48, 1, 1e-3), Phase(16, 2, 1e-3, 0.1)))
    pretrain(short, tmp_path)
    pretrain(short, tmp_path / "again")
    made, again = ((folder / "model.safetensors").read_bytes() for folder in (tmp_path, tmp_path / "again"))
    assert made == again
    told = json.loads((tmp_path / "provenance.json").read_text())
    assert told["steps"] == 4
    assert told.keys() == json.loads((folder() / "provenance.json").read_text()).keys()
    assert LlamaForCausalLM.from_pretrained(tmp_path).config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.slow
def test_the_base_can_work_forward_problems_out_is_used_to_telling_and_knows_no_inverse_ones() -> None:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder()).eval()
    rows = [s for s in islice(stories(random.Random(6)), 600) if held_out(s)][:80]

    def right(begun: str, *, forward: bool) -> float:
        """Share of problems solved where the answer begins so."""
        found = []
        for story in (s for s in rows if s.forward is forward):
            asked = [{"role": "user", "content": render(story)}]
            prompt = WORDS.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) + begun
            ids = model.generate(**WORDS(prompt, return_tensors="pt"), max_new_tokens=96, do_sample=False)
            said = WORDS.decode(ids[0], skip_special_tokens=True).rsplit("####")[-1].strip()
            found.append(said == str(solve(story).answer))
        return sum(found) / len(found)

    assert right("Now", forward=True) > 0.5
    assert right("", forward=True) < 0.3
    assert right("Now", forward=False) < 0.3
