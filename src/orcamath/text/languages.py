"""Which language a text is in, told by its letters and its commonest words.

Good enough to describe a data set, not to decide about a single problem.

In: a text of some words. Out: an ISO 639-1 code, or None where nothing tells. Scripts that one language has to itself decide at
once; among languages in Latin letters the one with the most of its function words does, where it has two at least and no equal.
"""

import re
from collections import Counter

from orcamath.text.words import ENGLISH

__all__ = ["language_of"]

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),  # kana, before the characters that Japanese shares with Chinese
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("uk", re.compile("[іїєґ]", re.IGNORECASE)),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_LETTERS = 3
"""Letters of a script that a text must have: `π` or one name is no language."""
_OTHERS = {
    "de": "der die das und ist sind wie viele viel hat haben wenn für jede sie er mit mehr als ein eine von zu",
    "fr": "le la les et est sont combien de des du un une pour chaque elle il avec plus que si dans chacun ont sur aux",
    "es": "el la los las y es son cuántos cuántas cuánto de del un una para cada ella él con más que en tiene",
    "it": "il lo la gli le e è sono quanti quante quanto di del della un una per ogni lei lui con più che se ha nel",
    "pt": "o a os as e é são quantos quantas quanto de do da um uma para cada ela ele com mais que se em tem por",
    "nl": "de het en is zijn hoeveel van een voor elke elk zij hij met meer dan als in heeft hebben op te",
    "pl": "i w na z do jest są ile ma każdy każda jeśli dla ona on więcej niż się nie po ich",
    "sv": "och är hur många mycket har om för varje hon han med mer än en ett av till på den det som",
    "tr": "ve bir bu kaç kadar var her için ile daha olan ne o toplam tane",
    "vi": "và có bao nhiêu mỗi của là cho một với hơn nếu trong được các",
}
_WORDS = {"en": ENGLISH, **{language: frozenset(words.split()) for language, words in _OTHERS.items()}}
_OF = {word: [code for code, own in _WORDS.items() if word in own] for words in _WORDS.values() for word in words}
"""Function word → the languages that have it."""
_WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str | None:
    """Return the language of a text, None where it cannot be told."""
    if not text.isascii():
        for language, letters in _SCRIPTS:
            if len(letters.findall(text)) >= _LETTERS:
                return language
    hits = Counter(language for word in _WORD.findall(text.lower()) for language in _OF.get(word, ()))
    (best, n), (_, second) = [*hits.most_common(2), ("", 0), ("", 0)][:2]
    return best if n >= 2 and n > second else None
