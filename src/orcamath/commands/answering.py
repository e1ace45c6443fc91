"""Before the first call: is who answers still who answered? Names such as `default` say nothing of it, and servers change.

In: a recipe and its arms. Out: nothing, or AnotherModel. Every endpoint is asked once for its list of models; what it says is
kept in the store (`store.servers`).
"""

from pathlib import Path

from orcamath.checks.models import models_asked
from orcamath.errors import AnotherModel
from orcamath.recipe_file import arms
from orcamath.recipe_settings import Recipe
from orcamath.store.prices import PAID_BACKENDS
from orcamath.store.servers import Servers

__all__ = ["know_who_answers"]


def know_who_answers(recipe: Recipe, store: Path, *, same: bool) -> None:
    """Ask every server of a recipe and its arms what it serves. Raises AnotherModel where that is in doubt, unless `same`."""
    own = (recipe, *arms(recipe).values())
    asked = [(role, m) for one in own for role, m in models_asked(one).items() if m.backend in PAID_BACKENDS]
    if not asked:
        return
    from orcamath.backends.openai_compatible import fingerprint_of  # the wire, which other recipes do not load
    from orcamath.backends.wire_says import place_of_server, said_by

    servers, met = Servers(store), set[tuple[str, str]]()
    for role, model in asked:
        fingerprint, server = fingerprint_of(model), place_of_server(model)
        if (fingerprint, server) in met:
            continue
        met.add((fingerprint, server))
        says = said_by(model)
        doubt = None if same else servers.doubt(fingerprint, model.model, server, says)
        if doubt is not None:
            raise AnotherModel(
                f"`{role}`: the server `{server}` {doubt}. Replies are remembered under `{fingerprint}`: if another model "
                f"answers now, say `{role}.revision: …` (any word that tells the two apart), and it is asked everything anew; if "
                f"it is the same model, `--same-model`"
            )
        servers.keep(fingerprint, server, says)
