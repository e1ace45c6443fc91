"""Putting an exported folder on the hub: shown first, sent only when told so, private unless said otherwise."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from orcamath.errors import ModelError, UsageError

__all__ = ["Pushed", "check_repo", "dry_run", "push"]


class Pushed(NamedTuple):
    """What went where."""

    repo: str
    n_files: int
    n_bytes: int


def _check(folder: Path, repo: str, *, really: bool = False) -> list[Path]:
    check_repo(repo, really=really)
    if not folder.is_dir():
        raise UsageError(f"only folders go to the hub (`--as hub`, or a student); `{folder}` is none")
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def check_repo(repo: str, *, really: bool = False) -> None:
    """Raise UsageError for a name that is none and, where something is `really` to be sent, without the package that sends."""
    owner, slash, name = repo.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UsageError(f"`--push {repo}` is no OWNER/NAME")
    if really and find_spec("huggingface_hub") is None:
        raise UsageError("`--push` needs the package `huggingface_hub`: pip install 'orcamath[hub]'")


def dry_run(folder: Path, repo: str, kind: Literal["dataset", "model"], *, public: bool) -> str:
    """Say what `push` would send. Raises UsageError for a name that is none, or what is no folder."""
    files = _check(folder, repo)
    size = sum(p.stat().st_size for p in files)
    seen = "public" if public else "private"
    lines = [f"would push {len(files)} files, {size:,} bytes, to the {seen} {kind} `{repo}` (nothing was sent):"]
    lines += [f"  {p.relative_to(folder)} ({p.stat().st_size:,} bytes)" for p in files]
    return "\n".join([*lines, "add --yes to send it"])


def push(folder: Path, repo: str, kind: Literal["dataset", "model"], *, public: bool = False) -> Pushed:
    """Create the repository where it is not there and send the folder's files in one commit.

    The key is the hub's own (`HF_TOKEN`). Raises ModelError with the hub's own words where it does not take it.
    """
    files = _check(folder, repo, really=True)
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        api.create_repo(repo, repo_type=kind, private=not public, exist_ok=True)
        api.upload_folder(
            folder_path=folder, repo_id=repo, repo_type=kind, ignore_patterns=[".*"], commit_message="orcamath export"
        )
    except Exception as e:  # the hub's own errors are many; each means that it is not there
        said = " ".join(str(e).split())[:300]
        raise ModelError(
            f"the hub did not take `{repo}` ({type(e).__name__}: {said}); the folder `{folder}` is whole. Check "
            f"HF_TOKEN (a token that may write) and the name"
        ) from e
    return Pushed(repo, len(files), sum(p.stat().st_size for p in files))
