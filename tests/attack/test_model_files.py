"""Model folders and GGUF files of strangers: one message each, nothing waited for, nothing read elsewhere, no code run."""

import ast
import json
import os
import struct
from pathlib import Path

import pytest

import orcamath
from orcamath.errors import ModelError
from orcamath.student.gguf_header import gguf_header
from orcamath.student.model import load_model, open_folder
from tiny_student import tiny_folder

CONFIGS: dict[str, tuple[object, str]] = {
    "a million layers": ({"num_hidden_layers": 10**6}, "num_hidden_layers: 1000000"),
    "as wide as the sea": ({"hidden_size": 10**12}, "hidden_size"),
    "a huge vocabulary": ({"vocab_size": 2**40}, "vocab_size"),
    "no known type": ({"model_type": "nosuch"}, "nosuch"),
    "a type that is a list": ({"model_type": ["llama"]}, "model_type"),
    "code of its own": ({"model_type": "own", "auto_map": {"AutoConfig": "evil.Config"}}, "own"),
    "negative": ({"num_attention_heads": -4}, "cannot be loaded|says"),
    "text for a number": ({"hidden_size": "many"}, "cannot be loaded"),
    "null": ({"num_hidden_layers": None}, "cannot be loaded"),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_that_cannot_be_is_one_message(kind: str, tmp_path: Path) -> None:
    change, says = CONFIGS[kind]
    folder = tiny_folder(tmp_path / "m").path
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict(change)))  # type: ignore[call-overload]
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match=says):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_json_that_is_none_is_one_message(file: str, content: bytes, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m").path
    (folder / file).write_bytes(content)
    with pytest.raises(ModelError):
        load_model(folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "chat_template.jinja", "more.json"])
@pytest.mark.timeout(30)
def test_pipes_and_links_out_of_the_folder_are_refused(file: str, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m").path
    (tmp_path / "elsewhere").write_text("{}")
    for make, says in (
        (lambda p: os.mkfifo(p), "no plain file"),
        (lambda p: p.symlink_to("/dev/zero"), "out of the model's folder"),
        (lambda p: p.symlink_to(tmp_path / "elsewhere"), "out of the model's folder"),
        (lambda p: p.symlink_to(tmp_path / "nowhere"), "leads nowhere"),
    ):
        (folder / file).unlink(missing_ok=True)
        make(folder / file)
        with pytest.raises(ModelError, match=says):
            open_folder(str(folder))


def test_a_link_that_stays_inside_is_read_as_the_hubs_cache_has_it(tmp_path: Path) -> None:
    cache = tmp_path / "models--o--m"
    made = tiny_folder(cache / "snapshots" / "abc").path
    (cache / "blobs").mkdir()
    (made / "config.json").rename(cache / "blobs" / "1")
    (made / "config.json").symlink_to("../../blobs/1")
    assert load_model(made).model.config.model_type == "llama"


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(*, n_tensors: int = 0, n: int = 1, body: bytes = b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, n_tensors, n) + body


KEY = text(b"llama.block_count")
GGUFS: dict[str, bytes] = {
    "empty": b"",
    "another file": b"PK\x03\x04" * 20,
    "cut": gguf(),
    "keys without end": gguf(n=2**63),
    "tensors without end": gguf(n_tensors=2**60, n=0),
    "a text without end": gguf(body=struct.pack("<Q", 2**62) + b"x"),
    "an array without end": gguf(body=KEY + struct.pack("<IIQ", 9, 4, 2**62)),
    "an array of texts without end": gguf(body=KEY + struct.pack("<IIQ", 9, 8, 2**62)),
    "arrays in arrays": gguf(body=KEY + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5_000),
    "a kind that is none": gguf(body=KEY + struct.pack("<I", 99)),
    "a million layers": gguf(body=KEY + struct.pack("<II", 4, 10**6)),
}


@pytest.mark.parametrize("kind", GGUFS)
def test_a_malformed_gguf_is_one_message(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(GGUFS[kind])
    with pytest.raises(ModelError, match=r"m\.gguf"):
        gguf_header(path)
    with pytest.raises(ModelError, match=r"m\.gguf"):
        open_folder(str(path))


UNTRUSTED = {
    "PeftModel": "takes no such option: what an adapter may be is looked at before (`student.intake.base_of`)",
    "GenerationConfig": "takes no such option: settings of what this process saved, none of which names code",
}
LOADERS = ("from_pretrained", "from_config", "load_custom_generate")


def loads(path: Path) -> list[tuple[str, ast.Call]]:
    """Return the calls in a file that load by what a model's files say: on which class, and the call."""
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    return [
        (ast.unparse(c.func.value), c) for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in LOADERS
    ]


def test_every_path_that_loads_a_model_says_that_its_code_is_not_run() -> None:
    found = [(path, *load) for path in sorted(Path(orcamath.__file__).parent.rglob("*.py")) for load in loads(path)]
    assert len(found) > 6
    for path, owner, call in found:
        said = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert said.get("trust_remote_code") == "False" or owner in UNTRUSTED, f"{path}:{call.lineno}"
    assert not set(UNTRUSTED) - {owner for _, owner, _ in found}
