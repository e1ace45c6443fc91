"""What is saved names the end that was trained: other programs stop where the student stops."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from orcamath.errors import ModelError
from orcamath.records import Lesson
from orcamath.store.artifacts import Store
from orcamath.store.facts import Facts
from orcamath.student.adapters import adapted
from orcamath.student.encode import Encoder
from orcamath.student.logprobs import Posed, score
from orcamath.student.model import ModelFolder, contents, load_model, open_folder, save
from orcamath.student.sampling import Asked, sample_chunk
from orcamath.student.settings import AdapterSettings, SftSettings
from orcamath.student.supervised import train_on_lessons
from scripted import sealed
from tiny_architectures import family
from tiny_student import tiny_model, tiny_tokenizer
from tiny_templates import TEMPLATES

CHATML = TEMPLATES["chatml (Qwen2.5, SmolLM2)"]
QUESTION = "Tom has 2 apples ."


def base_with_another_end(path: Path) -> ModelFolder:
    """A base whose files say <eos> and whose template ends turns with <|im_end|>, sampled with a penalty."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML.template + "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}"
    model = tiny_model()
    model.resize_token_embeddings(len(tokenizer))
    model.generation_config = GenerationConfig(
        eos_token_id=2, do_sample=True, top_k=5, top_p=0.8, temperature=0.6, repetition_penalty=1.3
    )
    save(model, tokenizer, path)
    return open_folder(str(path))


def test_a_trained_student_ends_where_generate_ends_and_leaves_no_sampling_of_its_bases(tmp_path: Path) -> None:
    base = base_with_another_end(tmp_path / "base")
    lesson = Lesson(
        id="a",
        problem_id="a",
        question=QUESTION,
        answer="the answer is 4",
        final_answer="4",
        origin="seed",
        source="s",
        teacher="t",
    )
    lessons = sealed(tmp_path, "teach", lessons=[lesson])

    def train(out: object) -> Facts:
        settings = SftSettings(
            learning_rate=3e-2, epochs=30, batch_size=1, dtype="float32", schedule="constant", warmup=0
        )
        return train_on_lessons(out, settings, lessons, base)  # type: ignore[arg-type]

    made = Store(tmp_path / "store").stage("imitate", 1, None, [], train)
    folder = open_folder(str(made.path / "model"))
    encoder = Encoder.of(folder)
    loaded = load_model(folder)
    (ours,) = sample_chunk(loaded.model, [Asked(encoder.prompt(QUESTION), 20)], encoder.stop_ids, encoder.decode)
    assert (encoder.decode(ours.ids), ours.finish) == ("the answer is 4", "stop")

    tokenizer = AutoTokenizer.from_pretrained(folder.path)
    model = AutoModelForCausalLM.from_pretrained(folder.path)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}], add_generation_prompt=True, return_tensors="pt"
    )
    ids = ids["input_ids"] if not isinstance(ids, torch.Tensor) else ids
    said = model.generate(ids, max_new_tokens=20)[0, ids.shape[1] :]
    assert tuple(said.tolist()) == ours.ids

    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert (tokenizer.eos_token, model.config.eos_token_id, model.generation_config.eos_token_id) == (
        "<|im_end|>",
        end,
        [end, 2],
    )
    left = model.generation_config
    assert [left.do_sample, left.top_k, left.top_p, left.temperature, left.repetition_penalty] == [None] * 5
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "4"}]
    assert tokenizer.apply_chat_template(turns, tokenize=False).endswith("<|im_end|>\n<eos>")


def test_an_adapter_on_tied_embeddings_is_refused_and_on_untied_ones_is_what_was_trained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tied to the output matrix"):
        adapted(tiny_model(), AdapterSettings(targets="q_proj,embed_tokens"))
    model = family("qwen2")
    assert not model.config.tie_word_embeddings
    trained = adapted(model, AdapterSettings(targets="q_proj,embed_tokens,lm_head", rank=4))
    with torch.no_grad():
        for name, p in trained.named_parameters():
            if "lora_" in name:
                p.normal_(0, 0.1)
    posed = [Posed((5, 6, 7), ((8, 9), (10, 11, 12)))]
    with torch.no_grad():
        before = score(trained, posed)
        save(trained.merge_and_unload(), tiny_tokenizer(), tmp_path / "merged")
        after = score(load_model(open_folder(str(tmp_path / "merged"))).model, posed)
    assert after.tolist() == pytest.approx(before.tolist(), abs=1e-4)


def test_a_mended_sampler_is_no_damage_to_a_sealed_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tiny_model(), tiny_tokenizer(), tmp_path / "model")
    before = open_folder(str(tmp_path / "model"))
    monkeypatch.setattr("orcamath.student.model.changes", lambda _: ("another",))
    after = open_folder(str(tmp_path / "model"))
    assert (after.fingerprint != before.fingerprint, after.content) == (True, before.content)
    assert after.content in contents(tmp_path / "model").values()
