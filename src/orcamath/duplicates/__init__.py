"""Every problem once: exact copies, near-duplicates, siblings.

`likeness` says what two problems share, `minhash` finds whom to compare without comparing all; the stage is `stages.collect`.
"""

from orcamath.duplicates.likeness import Likeness, likeness

__all__ = ["Likeness", "likeness"]
