"""Before the first call: is who answers still who answered? Names such as `default` say nothing of it, and servers change.

In: a recipe and its arms, or a model that a command names. Out: nothing, or AnotherModel. Every endpoint is asked once for its
list of models; what it says is kept in the store (`store.servers`).
"""

from pathlib import Path

from orcamath.checks.models import models_asked
from orcamath.errors import AnotherModel
from orcamath.recipe_file import arms
from orcamath.recipe_settings import Recipe
from orcamath.settings import ModelSettings
from orcamath.store.prices import PAID_BACKENDS
from orcamath.store.servers import Servers

__all__ = ["know_server", "know_who_answers"]


def know_who_answers(recipe: Recipe, store: Path, *, same: bool) -> None:
    """Ask every server of a recipe and its arms what it serves. Raises AnotherModel where that is in doubt, unless `same`."""
    own = (recipe, *arms(recipe).values())
    asked = [(role, m) for one in own for role, m in models_asked(one).items() if m.backend in PAID_BACKENDS]
    if not asked:
        return
    from orcamath.backends.openai_compatible import fingerprint_of  # the wire, which other recipes do not load
    from orcamath.backends.wire_says import place_of_server

    met = set[tuple[str, str]]()
    for role, model in asked:
        who = fingerprint_of(model), place_of_server(model)
        if who not in met:
            met.add(who)
            way_out = f"say `{role}.revision: …` (any word that tells the two apart), and it is asked everything anew"
            _know(f"`{role}`: ", model, store, same, way_out)


def know_server(model: ModelSettings, store: Path, *, same: bool) -> None:
    """Ask the server of a model that a command names what it serves. Raises AnotherModel as above."""
    if model.backend in PAID_BACKENDS:
        way_out = "serve it under a name of its own (vLLM: `--served-model-name`), or name another `--store`"
        _know("", model, store, same, way_out)


def _know(who: str, model: ModelSettings, store: Path, same: bool, way_out: str) -> None:
    from orcamath.backends.openai_compatible import fingerprint_of
    from orcamath.backends.wire_says import place_of_server, said_by

    says = said_by(model)  # first: it says where an address is none
    servers, fingerprint, server = Servers(store), fingerprint_of(model), place_of_server(model)
    doubt = None if same else servers.doubt(fingerprint, model.model, server, says)
    if doubt is not None:
        raise AnotherModel(
            f"{who}the server `{server}` {doubt}. Replies are remembered under `{fingerprint}`: if another model answers now, "
            f"{way_out}; if it is the same model, `--same-model`"
        )
    servers.keep(fingerprint, server, says)
