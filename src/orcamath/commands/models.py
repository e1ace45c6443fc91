"""Commands on models: open one by whatever names it, ask it one question."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from orcamath.assemble import Assembled
from orcamath.checks.models import require_for
from orcamath.commands.answering import know_server
from orcamath.commands.ending import from_options
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.errors import UsageError, WireDown, nearest
from orcamath.ports import Message, Pose, Request, Sampling
from orcamath.records import digest
from orcamath.settings import ModelSettings, StudentSettings, fault_in
from orcamath.store.artifacts import Store
from orcamath.store.hosts import host_named
from orcamath.store.ledger import Remembered
from orcamath.store.names import arm_folder
from orcamath.store.seals import read_sealed
from orcamath.store.under_way import stage_under_way
from orcamath.student.settings import Dtype

__all__ = ["ChatAfter", "address_of", "answer_by", "check_model", "open_model", "pose_as_chat", "with_key"]


def open_model(
    name: str,
    tools: Assembled,
    runs: Path,
    store: Store,
    base_url: str | None = None,
    *,
    dtype: Dtype = "auto",
    purse: Purse = UNLIMITED,
    transport: Mapping[str, object] = MappingProxyType({}),
    examples: tuple[Message, ...] = (),
    same_model: bool = False,
) -> tuple[Remembered, Pose]:
    """Open a model by folder, hub name, GGUF file, or as a run's student (`RUN/M1`, `RUN/ARM/M3`).

    One behind a server is named with its `base_url`, or as `NAME@URL`; `transport` says how it is reached. `examples` are turns
    that come before each question. Raises AnotherModel where a server may not be who answered before, unless `same_model`.
    """
    name, base_url = address_of(name, base_url)
    if base_url is not None:
        with from_options():
            served_by = ModelSettings(model=name, base_url=base_url, **transport)
        chat = tools.chat(purse.settings(served_by))
        know_server(served_by, store.root, same=same_model)
        return chat, ChatAfter(examples) if examples else pose_as_chat
    require_for(f"`{name}`, a model that runs on this machine,", "torch")
    settings = StudentSettings(base=_student_folder(name, runs, store) or name, options={"dtype": dtype})
    player = tools.player(settings, tools.base(settings), examples=examples)
    return player.chat, player.pose


def address_of(name: str, base_url: str | None = None) -> tuple[str, str | None]:
    """Return a model's name and where it is served: `NAME@URL` taken apart, or None for a model of this machine."""
    served, at, url = name.rpartition("@")
    if base_url is None and at and url.startswith(("http://", "https://")):
        return served, url
    return name, base_url


def with_key(name: str | None, urls: Iterable[str | None]) -> dict[str, str]:
    """Return how models served at `urls` are reached whose key is in the variable `name`; empty where that is None.

    Raises UsageError where nothing is served, and where several hosts would be sent one key. The name is not repeated: it may be
    the key itself.
    """
    if name is None:
        return {}
    served = [url for url in urls if url]
    if not served:
        raise UsageError(
            "--api-key-env is for a model behind a server, and none is named; leave it out, or name the server: `--base-url`, or "
            "`NAME@https://…` where a command takes that"
        )
    hosts = sorted({host_named(url) for url in served if not fault_in(url)})
    if len(hosts) > 1:
        raise UsageError(
            f"--api-key-env names one key, and it would be sent to {' and '.join(f'`{host}`' for host in hosts)}; name models of "
            f"one host, or put a gateway before them"
        )
    return {"api_key_env": name}


class ChatAfter:
    """Poses a question to a model behind a server after worked examples, turns of the same conversation (the port `Pose`)."""

    def __init__(self, examples: tuple[Message, ...]) -> None:
        self.examples = examples

    @property
    def fingerprint(self) -> str:
        """Hash of the examples."""
        return digest("shown", [[m.role, m.content] for m in self.examples])

    def __call__(self, question: str, sampling: Sampling, draw: int = 0) -> Request:
        """Pose one question."""
        return Request((*self.examples, Message("user", question)), sampling=sampling, draw=draw)


def pose_as_chat(question: str, sampling: Sampling, draw: int = 0) -> Request:
    """Pose a question to a model behind a server: as the only message of a conversation."""
    return Request((Message("user", question),), sampling=sampling, draw=draw)


def _student_folder(name: str, runs: Path, store: Store) -> str | None:
    run, _, student = name.rpartition("/")
    run, _, arm = run.partition("/")
    if Path(name).exists() or not run:
        return None
    pointers = read_sealed((runs / run / "arms" / arm_folder(arm) if arm else runs / run) / "stages.json")
    if pointers is None:
        return None
    students = {s["name"]: s["model"] for s in pointers["students"] if s["model"]}
    if student not in students:
        raise UsageError(f"run `{run}` has no student `{student}`; {nearest(student, students)}")
    return str(store.artifacts / students[student] / "model")


def answer_by(
    model: str,
    question: str,
    *,
    base_url: str | None,
    max_new_tokens: int,
    store: Path,
    runs: Path,
    purse: Purse = UNLIMITED,
    api_key_env: str | None = None,
    same_model: bool = False,
) -> str:
    """Ask a model one question, greedily; the answer as plain text. `api_key_env`: where the key of a served one is."""
    transport = with_key(api_key_env, [address_of(model, base_url)[1]])
    where = Store(store)
    tools = Assembled(where)
    try:
        chat, pose = open_model(
            model, tools, runs, where, base_url, purse=purse, transport=transport, same_model=same_model
        )
        request = pose(question, Sampling(max_tokens=max_new_tokens))
        with purse.opened() as budget, stage_under_way("ask", budget):
            failures = chat.fill([request])
        reply = chat.reply(request)
    finally:
        tools.close()
    if reply is None:
        raise WireDown(f"`{model}` did not answer: {failures[-1] if failures else 'no reply'}")
    return reply.text


def check_model(name: str, *, runs: Path, store: Path, dtype: Dtype, as_json: bool) -> tuple[str, bool]:
    """Put a model (folder, hub name, GGUF file, a run's student) to the checks of `student.conformance`.

    Returns (what to print, whether all hold).
    """
    require_for(f"`check-model {name}`", "torch")
    from orcamath.student.architectures import KNOWN, window
    from orcamath.student.conformance import held_against
    from orcamath.student.model import load_model, local_folder, torch_dtype

    path = local_folder(_student_folder(name, runs, Store(store)) or name)
    loaded = load_model(path, dtype=torch_dtype(dtype), to_train=True)  # an adapter is merged
    config = loaded.model.config
    width = window(config)
    crossed = (
        _QUESTIONS if width is None or width > _LONGEST else [*_QUESTIONS, " ".join([_QUESTIONS[1]] * (width // 4))]
    )
    findings = list(held_against(loaded, crossed, max_new=4))
    holds = all(f.holds for f in findings)
    way = (
        "in slots" if config.model_type in KNOWN else f"the plain way, since only {', '.join(sorted(KNOWN))} are known"
    )
    if as_json:
        rows = [f._asdict() for f in findings]
        return json.dumps({"architecture": config.model_type, "way": way, "checks": rows}, indent=1), holds
    lines = [f"{name}: {config.model_type}, {loaded.model.num_parameters():,} weights, sampled {way}"]
    lines += [f"{'holds' if f.holds else 'FAILS':6} {f.check:9} {f.seen}" for f in findings]
    if width is not None and crossed is _QUESTIONS:
        lines.append(f"not crossed: its window of {width:,} tokens")
    return "\n".join(lines), holds


_LONGEST = 512
_QUESTIONS = ["2 + 3?", "How much is 2 + 3?"]
"""Short ones: of a model of half a billion weights each token costs a core a hundredth of a second or more."""
