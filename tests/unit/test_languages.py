"""A question's language by its letters and commonest words."""

import pytest

from orcamath.text.languages import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Tom has 3 pens and buys 4 more. How many pens does he have now?", "en"),
        ("Anna hat 3 Stifte und kauft 4 dazu. Wie viele Stifte hat sie nun?", "de"),
        ("Léa a 3 stylos et en achète 4. Combien de stylos a-t-elle dans le sac ?", "fr"),
        ("Ana tiene 3 lápices y compra 4 más. ¿Cuántos lápices tiene en total?", "es"),
        ("Anna ha 3 penne e ne compra altre 4. Quante penne ha con le altre?", "it"),
        ("A Ana tem 3 canetas e compra mais 4. Quantas canetas ela tem?", "pt"),
        ("Anna heeft 3 pennen en koopt er 4. Hoeveel pennen heeft zij?", "nl"),
        ("小明有3支笔,又买了4支。他现在有多少支?", "zh"),
        ("太郎さんはペンを3本持っています。", "ja"),
        ("철수는 펜이 3개 있습니다.", "ko"),
        ("У Ани 3 ручки, она купила ещё 4. Сколько всего?", "ru"),
        ("3 + 4 = ?", None),
        ("π r r", None),
        ("", None),
    ],
)
def test_of_a_question(text: str, language: str | None) -> None:
    assert language_of(text) == language
