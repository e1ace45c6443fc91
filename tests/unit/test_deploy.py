"""What lies in `deploy/`, and the Dockerfile, is well-formed: neither a cluster nor an engine is needed to know that."""

import json
import re
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def cluster() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text("utf-8"))
    return content


def test_the_slurm_script_is_shell() -> None:
    done = subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sh")], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_ray_nodes_of_a_job_have_what_the_job_has() -> None:
    """A step does not inherit the job's CPUs, Ray counts the machine's, and two jobs on a node want two ports."""
    text = (DEPLOY / "slurm.sh").read_text("utf-8")
    starts = [line for line in text.splitlines() if 'ray" start' in line]
    assert len(starts) == 2
    assert all('"${step[@]}"' in line and '"${has[@]}"' in line for line in starts)
    assert "SLURM_JOB_ID" in text
    assert "=6379" not in text


def test_what_slurm_interrupts_before_its_time_is_up_is_the_run() -> None:
    """`B:` is the batch script alone, which the run takes the place of; without it SLURM signals the steps, which are Ray."""
    lines = (DEPLOY / "slurm.sh").read_text("utf-8").splitlines()
    assert "#SBATCH --signal=B:INT@120" in lines
    assert lines[-1].startswith("exec ")


def test_all_nodes_of_a_cluster_ask_for_the_same_token_or_for_none_and_tell_nobody() -> None:
    """`ray start --head` takes a token that lies there, `ray start --address` does not, unless both are told."""
    slurm = (DEPLOY / "slurm.sh").read_text("utf-8")
    assert (
        slurm.index("get-auth-token --generate") < slurm.index("export RAY_AUTH_MODE=token") < slurm.index('ray" start')
    )
    content = cluster()
    starts = [content[f"{node}_start_ray_commands"][-1] for node in ("head", "worker")]
    assert all("export RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0; " in start for start in starts)
    assert "RAY_USAGE_STATS_ENABLED=0" in slurm


def test_the_cluster_installs_the_clone_that_it_was_called_in() -> None:
    content = cluster()
    (there,) = content["file_mounts"]
    assert any(f"-c {there}/constraints.txt -e {there}'[" in command for command in content["setup_commands"])


def test_the_cluster_names_its_head_and_writes_no_key_down() -> None:
    content = cluster()
    assert content["head_node_type"] in content["available_node_types"]
    assert "KEY=" not in (DEPLOY / "ray-cluster.yaml").read_text("utf-8")


def test_the_cluster_has_rays_form() -> None:
    why = "the extra `ray` is not installed (`make test-cluster` installs it)"
    jsonschema = pytest.importorskip("jsonschema", reason=why)
    spec = find_spec("ray") and find_spec("ray.autoscaler")
    if not spec or not spec.submodule_search_locations:
        pytest.skip(why)
    schema = json.loads((Path(spec.submodule_search_locations[0]) / "ray-schema.json").read_text("utf-8"))
    checker = jsonschema.validators.validator_for(schema)(schema)
    assert [e.message for e in checker.iter_errors(cluster())] == []


def test_the_dockerfile_copies_what_is_there_and_builds_on_a_python_that_will_do() -> None:
    text, project = (
        (ROOT / "Dockerfile").read_text("utf-8"),
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")),
    )
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE)
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    needed = {*copied, "pyproject.toml", "README.md", "LICENSE", "src", "docs"}  # what the wheel is made of
    assert needed & set((ROOT / ".dockerignore").read_text("utf-8").split()) == set()
    bases = re.findall(r"^FROM python:3\.(\d+)", text, re.MULTILINE)
    least = int(project["project"]["requires-python"].partition("3.")[2])
    assert len(bases) == text.count("FROM ")
    assert min(map(int, bases)) >= least
    assert set(re.findall(r"\)\[(\w+)\]", text)) == {"student"} <= set(project["project"]["optional-dependencies"])
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)  # what it asks for
