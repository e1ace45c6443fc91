"""The report's eight colours, as colour-blind readers see them: told apart from each other and from the paper.

Dichromats are simulated in linear RGB by the matrices of Machado, Oliveira & Fernandes 2009 (severity 1.0, their table 1); what
looks how different is the Euclidean distance in CIELAB (CIE 1976), of which 2.3 is just noticeable on large patches side by side.
"""

import itertools
import math
import re
from importlib import resources

import pytest

LEAST_APART = 15.0
"""Of thin lines and small dots that do not touch; the palette of Okabe & Ito 2008 with its black comes to 16 by this count."""
LEAST_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11: what is drawn against what is behind it."""
SEEN_BY: dict[str, tuple[tuple[float, float, float], ...]] = {
    "trichromat": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanope": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranope": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanope": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
STYLE = (resources.files("orcamath.report") / "style.html").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))
Linear = tuple[float, float, float]


def linear(name: str, scheme: str) -> Linear:
    """Return a variable of the style sheet as linear RGB from 0 to 1."""
    (told,) = re.findall(rf"--{name}: #([0-9a-f]{{6}}|[0-9a-f]{{3}});", SCHEMES[scheme])
    digits = told if len(told) == 6 else "".join(2 * d for d in told)
    values = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


def seen(colour: Linear, by: str) -> Linear:
    red, green, blue = (min(1.0, max(0.0, sum(a * b for a, b in zip(row, colour, strict=True)))) for row in SEEN_BY[by])
    return red, green, blue


def lab(colour: Linear) -> tuple[float, float, float]:
    """CIELAB under D65, from linear sRGB."""
    white = (0.95047, 1.0, 1.08883)
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = (sum(a * b for a, b in zip(row, colour, strict=True)) / w for row, w in zip(rows, white, strict=True))
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def luminance(colour: Linear) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("by", SEEN_BY)
def test_no_two_colours_of_a_chart_look_alike(scheme: str, by: str) -> None:
    looks = {f"s{i}": lab(seen(linear(f"s{i}", scheme), by)) for i in range(8)}
    apart = {(a, b): math.dist(looks[a], looks[b]) for a, b in itertools.combinations(looks, 2)}
    pair = min(apart, key=lambda p: apart[p])
    assert apart[pair] >= LEAST_APART, (pair, apart[pair])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", [f"s{i}" for i in range(8)])
def test_every_colour_stands_out_from_its_card(scheme: str, name: str) -> None:
    light, dark = sorted((luminance(linear(n, scheme)) for n in (name, "card")), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= LEAST_CONTRAST


def test_the_measure_knows_what_dichromats_confuse() -> None:
    red, green = (1.0, 0.0, 0.0), (0.0, 0.45, 0.0)
    assert math.dist(lab(red), lab(green)) > 100
    assert math.dist(lab(seen(red, "deuteranope")), lab(seen(green, "deuteranope"))) < 40
    assert lab((1.0, 1.0, 1.0)) == pytest.approx((100.0, 0.0, 0.0), abs=0.02)
