"""Problem files as people have them, of five shapes, with answers that a server of ours reaches: what `init` looks at."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["OWN", "Own", "answers_of"]


class Own(NamedTuple):
    """One file: how it is made, and what a look at it must find."""

    name: str
    write: Callable[[Path], None]
    columns: Mapping[str, str]
    options: Mapping[str, str]
    kinds: Mapping[str, int]
    language: str
    bad: int = 0


GERMAN = [
    ("Anna hat {a} Äpfel und kauft {b} dazu. Wie viele Äpfel hat sie jetzt?", lambda a, b: a + b),
    ("In einem Regal stehen {a} Bücher; {b} davon nimmt Jörg heraus. Wie viele bleiben stehen?", lambda a, b: a - b),
    ("Ein Zug fährt {a} km in einer Stunde. Wie weit kommt er in {b} Stunden?", lambda a, b: a * b),
    ("Ein Garten ist {a} m lang und {b} m breit. Wie groß ist seine Fläche in Quadratmetern?", lambda a, b: a * b),
    ("Frau Weiß teilt {a} Stifte gerecht unter {b} Kindern auf. Wie viele Stifte bleiben übrig?", lambda a, b: a % b),
    ("Auf der Weide grasen {a} Kühe und {b} Gänse. Wie viele Beine zählt der Bauer?", lambda a, b: 4 * a + 2 * b),
    ("Paul ist {a} Jahre alt, seine Schwester ist {b} Jahre jünger. Wie alt ist die Schwester?", lambda a, b: a - b),
    ("Ein Eimer fasst {a} Liter. Wie viel Wasser passt in {b} solche Eimer zusammen?", lambda a, b: a * b),
]
FRENCH = [
    ("Léa a {a} billes et en gagne {b} à la récréation. Combien de billes a-t-elle ?", lambda a, b: a + b),
    ("Un boulanger cuit {a} pains, il en vend {b} le matin. Combien de pains reste-t-il ?", lambda a, b: a - b),
    ("Une boîte contient {a} œufs. Combien y a-t-il d'œufs dans {b} boîtes pleines ?", lambda a, b: a * b),
    ("Le car part avec {a} élèves et {b} professeurs. Combien de personnes sont dans le car ?", lambda a, b: a + b),
    ("Un livre coûte {a} euros. Hugo en achète {b} pour ses amis. Combien paie-t-il ?", lambda a, b: a * b),
    ("Noé a couru {a} km, Zoé {b} km de moins que lui. Combien de km a-t-elle courus ?", lambda a, b: a - b),
]
ENGLISH = [
    ("A ferry takes {a} cars on a trip. How many cars cross the river on {b} full trips?", lambda a, b: a * b),
    ("Maya saved {a} dollars and spent {b} of them on a book. How many dollars are left?", lambda a, b: a - b),
    ("There are {a} red and {b} blue chairs in the hall. How many chairs are there altogether?", lambda a, b: a + b),
    ("A farmer packs {a} melons into crates of {b}. How many melons do not fill a crate?", lambda a, b: a % b),
    ("Omar reads {a} pages a day. How many pages has he read after {b} days of his holiday?", lambda a, b: a * b),
    ("The tank held {a} litres before {b} litres leaked out overnight. How much is in it now?", lambda a, b: a - b),
    ("Each side of a square field measures {a} m. What is the length of its fence with {b} gates?", lambda a, b: 4 * a),
]
WORDS = [
    ("Ben has {a} stamps and Ida has {b} stamps. Who has more stamps, Ben or Ida?", lambda a, b: "Ben"),
    ("The red rope is {b} m long and the green one {a} m. Which rope is the longer one?", lambda a, b: "green"),
    ("A room seats {a} people. Do {b} guests all find a seat? Answer yes or no.", lambda a, b: "yes"),
    ("It takes Nora {b} minutes by bike and {a} minutes on foot. Which way is faster for her?", lambda a, b: "bike"),
    ("Is {a} times {b} an even number or an odd one?", lambda a, b: "even" if a * b % 2 == 0 else "odd"),
]


def problems(templates: list, n: int) -> list[tuple[str, str]]:
    """Fill templates with numbers in turn: n different problems with their answers."""
    made = []
    for i in range(n):
        text, answer = templates[i % len(templates)]
        a, b = 21 + 7 * i % 60, 2 + i % 9
        made.append((text.format(a=a, b=b), str(answer(a, b))))
    return made


def _spreadsheet(path: Path) -> None:
    rows = [[i, q, a, 3 + i % 2] for i, (q, a) in enumerate(problems(GERMAN, 64), start=1)]
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["Nr.", "Frage", "Antwort", "Klasse"], *rows])
    path.write_bytes(out.getvalue().encode("cp1252"))


def _unicode_text(path: Path) -> None:
    rows = ["Énoncé\tRéponse\tPage", *(f"{q}\t{a}\t{12 + i // 6}" for i, (q, a) in enumerate(problems(FRENCH, 60)))]
    path.write_bytes("\r\n".join(rows).encode("utf-16"))


def _columns(path: Path) -> None:
    rows = [
        {
            "uuid": f"{i:08x}-0000-4000-8000-{i:012x}",
            "problem": q,
            "expected_answer": float(a),
            "meta": {"grade": i % 6, "tags": ["own"]},
        }
        for i, (q, a) in enumerate(problems(ENGLISH, 70))
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)


def _rephrased(path: Path) -> None:
    """MetaMathQA's columns: the answer stands at the end of a worked one."""
    rows = [
        {
            "type": "GSM_Rephrased",
            "query": q,
            "original_question": q.replace("How", "Say how"),
            "response": f"We work it out step by step.\nSo it is {a}.\nThe answer is: {a}",
        }
        for q, a in problems(ENGLISH, 63)
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _lines(path: Path) -> None:
    rows = [json.dumps({"Question": q, "target": a}, ensure_ascii=False) for q, a in problems(WORDS, 60)]
    rows[7:7] = ["", '{"Question": "", "target": "yes"}', '{"Question": "Torn off in the midd']
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


OWN = (
    Own(
        "klasse3.csv",
        _spreadsheet,
        {"question": "Frage", "answer": "Antwort"},
        {"encoding": "cp1252", "delimiter": ";"},
        {"number": 64},
        "de",
    ),
    Own(
        "cahier.tsv",
        _unicode_text,
        {"question": "Énoncé", "answer": "Réponse"},
        {"encoding": "utf-16"},
        {"number": 60},
        "fr",
    ),
    Own("bank.parquet", _columns, {"question": "problem", "answer": "expected_answer"}, {}, {"number": 70}, "en"),
    Own("rephrased.json", _rephrased, {"question": "query", "answer": "response"}, {}, {"number": 63}, "en"),
    Own("riddles.jsonl", _lines, {"question": "Question", "answer": "target"}, {}, {"text": 60}, "en", bad=2),
)


def answers_of() -> dict[str, str]:
    """Return question → answer of all files, for a teacher that knows them."""
    return dict(p for templates in (GERMAN, FRENCH, ENGLISH, WORDS) for p in problems(templates, 80))
