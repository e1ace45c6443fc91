"""A sealed artifact of another store on the same disk is moved into this one, as if it had been made here.

In: what a plan could make whole in its temporary store. Out: the artifact, where the run looks for it.
"""

from dataclasses import replace

from orcamath.store.artifacts import Artifact, Store
from orcamath.store.locks import take
from orcamath.store.placing import sync
from orcamath.store.sealed import set_aside

__all__ = ["move_in"]


def move_in(made: Artifact, store: Store) -> Artifact:
    """Move an artifact, all of whose inputs are in `store`, there too; to whoever asks for it next it is new.

    Returns what is there then; `made` as it is where another process makes the same just now.
    """
    name = made.path.name
    if (lock := take(store.scratch / f"{name}.lock")) is None:
        return made
    with lock:
        here, target = store.find(made.stage, made.digest), store.artifacts / name
        if here is not None and here.changed_table() is None:
            return here
        if target.exists():
            set_aside(target)
        told = f"{name}.made.json"
        (made.path.parent / told).rename(store.artifacts / told)
        made.path.rename(target)
        sync(store.artifacts)
        store.ahead.add(name)
    return replace(made, path=target)
