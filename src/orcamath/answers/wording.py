"""Answers in words and letters: names, yes and no, choices by letter or by value."""

import re
from functools import lru_cache
from string import ascii_uppercase

from orcamath.answers.latex import plain
from orcamath.text.truth import YES_OR_NO

__all__ = ["choice_of", "gives_up", "letter", "listed", "same_text", "without_letter"]

_ARTICLES = re.compile(r"\b(?:the|a|an|mr|mrs|ms|dr)\b\.?")
_NOT_WORD = re.compile(r"[^\w%°π√+\-/*^=<>.]+|\.(?![0-9])")
_FIRST = re.compile(r"[(\[ ]*([A-Ja-j])(?:[ ]?[).:\]]|[ ]*$)")
_NAMED = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer|I (?:choose|pick))(?: is)?:?[ ]+\(?([A-J]\b|[a-j](?=\)|\.?$))"
)
_APART = re.compile(r"\(([A-Ja-j])\)|\b([A-J])\b(?!['’])")
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_SPELLED = {
    w: f"{i}{'st' if i == 1 else 'nd' if i == 2 else 'rd' if i == 3 else 'th'}" for i, w in enumerate(_ORDINALS, 1)
}
_LISTED = re.compile(r"(?:^|[\s(])([A-J])[).:] ?([^\n()]{1,60}?)(?=[\s,;]*(?:\(?[B-J][).:] |\([B-J]\)|\n|$))")
_GIVES_UP = re.compile(
    r"\b(?:(?:can ?not|can['’]t|could not|couldn['’]t|"
    r"(?:unable|not able) to|not possible to|impossible to|no way to)(?: \w+)? "
    r"(?:answer|determine|tell|know|say|find|solve|calculate|comput|decide|help|assist|be )"
    r"|(?:not|\w+n['’]t) (?:\w+ )?enough info|"
    r"(?:do not|don['’]t) know\b|not enough (?:data|detail|facts)|insufficient|"
    r"undetermined|undefined|unknown|unanswerable|no (?:solution|answer)s?|"
    r"not (?:given|stated|provided|mentioned|specified))|^\W*(?:none|n/?a|null|not enough|impossible)\W*$",
    re.IGNORECASE,
)
"""What is said where a question cannot be answered, by a solution or by a gold answer."""
_ASKING = frozenset({"who", "whose", "what", "which", "how"})
"""Words that stand in capitals where a question begins, and name nobody."""


def _bare(text: str) -> str:
    """Return the text in lower case without markup, articles, titles and punctuation."""
    words = _NOT_WORD.sub(" ", _ARTICLES.sub(" ", plain(text).casefold())).split()
    return " ".join(_SPELLED.get(w, w) for w in words)


def gives_up(text: str) -> bool:
    """Tell whether a text says that there is no answer to be had."""
    return bool(_GIVES_UP.search(text))


def same_text(a: str, b: str, question: str = "") -> bool | None:
    """Compare words: equal or not; None where one is part of the other and more may be meant, or one is empty."""
    left, right = _bare(a), _bare(b)
    if left == right or (left[:1].isdigit() and _place(left) == _place(right)):
        return bool(left) or None
    if not left or not right:
        return None
    if gives_up(b):
        return True if gives_up(a) else None if left.startswith(("0", "no", "zero")) else False
    if right in YES_OR_NO:
        words = left.split()  # a `no` in between is an article
        sides = {YES_OR_NO[word] for word in (words[0], words[-1]) if word in YES_OR_NO}
        return sides == {YES_OR_NO[right]} if len(sides) == 1 else None
    if f" {right} " in f" {left} ":
        return _only_named(left, right, question) if question else None
    if f" {left} " in f" {right} ":
        return None
    # only English is known to part its words and to leave them as they are: `答えは東京です`, `서울입니다` may name the yardstick
    foreign = not (left.isascii() and right.isascii())
    return None if foreign and (right in left or left in right) else False


def _place(text: str) -> str:
    """Return `3` for `3rd`, and any other text as it is."""
    return text[:-2] if text[:-2].isdigit() and text[-2:] in ("st", "nd", "rd", "th") else text


def _only_named(said: str, name: str, question: str) -> bool | None:
    """Read `Mary has more than John`: of what the question names, the part before `than` names what is meant."""
    if any(c in "<>=" or c.isdigit() for c in said.replace(name, " ")):
        return None  # `2 parts (Blue) < 3 parts (Purple)` compares numbers and names nobody
    if any(f" {word} " in f" {said} " for word in ("neither", "nor", "fewer", "less")):
        return None
    before = f" {said.partition(' than ')[0]} "
    compared, asked_for = _degrees(said), _degrees(question)
    if " than " in said and asked_for and compared.isdisjoint(asked_for):
        return None  # who is taller is not said by who is shorter
    if f" {name} " not in before:
        return False
    if (
        any(f" {word} " in before for word in ("not", "or", "neither", "if"))
        or f" {name} and " in before
        or f" and {name} " in before
    ):
        return None
    words = question.replace("?", " ").replace(",", " ").split()
    rivals = {_bare(w) for w in words[1:] if w[:1].isupper()} - _ASKING
    for i, word in enumerate(words[1:-1], 1):
        if word == "or":
            rivals |= {_bare(words[i - 1]), _bare(words[i + 1])}
    return (
        None if any(f" {rival} " in before for rival in rivals if rival and f" {rival} " not in f" {name} ") else True
    )


def _degrees(text: str) -> set[str]:
    """Return the adjectives that a text compares by, without their endings: `tall` of `taller` and of `tallest`."""
    words = text.lower().replace("?", " ").replace(",", " ").split()
    found = {word.removesuffix("est").removesuffix("er") for word in words if word.endswith(("er", "est"))}
    return found | {"more"} if "more" in words or "most" in words else found


def listed(question: str) -> tuple[str, ...]:
    """Return the choices that a question lists itself, as `(A) 12 (B) 14`; none where they do not begin with A."""
    found = _LISTED.findall(question)
    letters = "".join(name for name, _ in found)
    return tuple(text.strip() for _, text in found) if len(found) > 1 and ascii_uppercase.startswith(letters) else ()


def choice_of(named: str) -> int:
    """Return which choice a letter names, 0 for A or a; below 0 where it is no letter of the alphabet."""
    return ascii_uppercase.find(named.upper())


@lru_cache(maxsize=4096)
def letter(text: str) -> str | None:
    """Return the letter a choice is named by: first, or behind `option` or `answer`, or the only one; None otherwise."""
    text = plain(text).strip(" \"'")
    if first := _FIRST.match(text):
        return first[1].upper()
    if named := _NAMED.findall(text):
        return str(named[-1]).upper()
    apart = list(_APART.finditer(text))
    said = {m[1].upper() for m in apart if m[1]}
    if not said:
        said = {m[2] for m in apart} - ({"A", "I"} if len(text) > 20 else set())  # in a sentence these are words
    return said.pop() if len(said) == 1 else None


def without_letter(option: str) -> str:
    """Return what an option says, without the letter in front: `24` of `a ) 24`."""
    first = _FIRST.match(option)
    return option[first.end() :].lstrip() or option if first else option
