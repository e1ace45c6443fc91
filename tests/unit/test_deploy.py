"""What lies in `deploy/` is well-formed: no cluster is needed to know that."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


def cluster() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text("utf-8"))
    return content


def test_the_slurm_script_is_shell() -> None:
    done = subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sh")], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cluster_names_its_head_and_writes_no_key_down() -> None:
    content = cluster()
    assert content["head_node_type"] in content["available_node_types"]
    assert "KEY=" not in (DEPLOY / "ray-cluster.yaml").read_text("utf-8")


def test_the_cluster_has_rays_form() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    spec = find_spec("ray") and find_spec("ray.autoscaler")
    if not spec or not spec.submodule_search_locations:
        pytest.skip("the extra `ray` is not installed (`make test-cluster` installs it)")
    schema = Path(spec.submodule_search_locations[0]) / "ray-schema.json"
    checker = jsonschema.Draft7Validator(json.loads(schema.read_text("utf-8")))
    assert [e.message for e in checker.iter_errors(cluster())] == []
