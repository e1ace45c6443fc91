"""Every problem once: exact copies, near-duplicates, siblings; and the filters of form.

`likeness` says what two problems share, `minhash` finds whom to compare without comparing all, `collecting` is the stage.
"""

from orcamath.duplicates.collecting import VERSION, CollectSettings, collect
from orcamath.duplicates.likeness import Likeness, likeness

__all__ = ["VERSION", "CollectSettings", "Likeness", "collect", "likeness"]
