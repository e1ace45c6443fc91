"""Reading a recipe: YAML 1.2, overrides, arms, and errors that name file, line, key and the nearest known name."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orcamath.errors import RecipeError
from orcamath.experiment import seeded
from orcamath.recipe_file import arms, dump, load, shipped
from orcamath.recipe_settings import Iteration, Recipe
from orcamath.student.settings import SftSettings


def read(tmp_path: Path, text: str, *overrides: str, limit: int | None = None, of_run: bool = False) -> Recipe:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load(str(path), overrides, limit=limit, of_run=of_run)


def refused(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, text, *overrides)
    return str(caught.value).replace(str(tmp_path / "mine.yaml"), "mine.yaml")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("name: no\n", "name", "no"),
        ("name: on\n", "name", "on"),
        ("name: 'yes'\n", "name", "yes"),
        ("name: x\nabout: 12:30:45\n", "about", "12:30:45"),
        ("name: x\nlearn: {learning_rate: 1e-6}\n", "learning_rate", 1e-6),
        ("name: x\nlearn: {learning_rate: 1E-6}\n", "learning_rate", 1e-6),
        ("name: x\nlearn: {batch_size: 010}\n", "batch_size", 10),
        ("name: x\nlearn: {batch_size: 0o10}\n", "batch_size", 8),
        ("name: x\nlearn: {negative_only: true}\n", "negative_only", True),
    ],
)
def test_yaml_is_1_2(tmp_path: Path, text: str, key: str, value: object) -> None:
    recipe = read(tmp_path, text)
    assert getattr(recipe if key in ("name", "about") else recipe.learn, key) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nlern:\n  beta: 1\n", "mine.yaml:2: unknown key `lern`; did you mean `learn`?"),
        ("name: x\nlearn:\n  betta: 1\n", "mine.yaml:3: unknown key `learn.betta`; did you mean `beta`?"),
        (
            "name: x\n\nlearn: {loss: dpo,\n  betta: 1}\n",
            "mine.yaml:4: unknown key `learn.betta`; did you mean `beta`?",
        ),
        (
            "name: x\niterations:\n- {}\n- learn:\n    betta: 1\n",
            "mine.yaml:5: unknown key `iterations.1.learn.betta`; did you mean `beta`?",
        ),
        (
            "name: x\nimitate: {epochs: 2}\niterations:\n- more_sft: {epoch: 1}\n",
            "mine.yaml:4: unknown key `iterations.0.more_sft.epoch`; did you mean `epochs`?",
        ),
        (
            "name: x\nseeds:\n  sources:\n  - {name: gsm8k, pth: a}\n",
            "mine.yaml:4: unknown key `seeds.sources.0.pth`; did you mean `path`?",
        ),
        ("name: x\nlearn: {beta: -1}\n", "mine.yaml:2: `learn.beta` = -1: Input should be greater than 0"),
        ("name: x\nlearn: {learning_rate: fast}\n", "mine.yaml:2: `learn.learning_rate` = 'fast': "),
        ("about: x\n", "mine.yaml: `name` is missing; write `name: …`"),
        ("name: x\npractice: 3\niterations: [{}]\n", "mine.yaml:2: `practice` = 3: "),
        ("name: x\niterations: 3\n", "mine.yaml:2: `iterations` = 3: "),
        ("name: x\nname: y\n", "mine.yaml:2: the key `name` stands twice"),
        ("name: [x\n", "mine.yaml:2: not YAML: "),
        ("- a\n", "mine.yaml: a recipe is a mapping of keys to values such as `name: mine`, and this file is a list"),
        ("", "mine.yaml: a recipe is a mapping of keys to values such as `name: mine`, and this file is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text).startswith(message)


def test_every_mistake_is_told_and_each_once(tmp_path: Path) -> None:
    text = "name: x\nlearn: {betta: 1}\nimitate: {epoch: 1}\niterations: [{}, {more_sft: {}}]\nworkers: 0\n"
    assert refused(tmp_path, text).splitlines() == [
        "mine.yaml:3: unknown key `imitate.epoch`; did you mean `epochs`?",
        "mine.yaml:2: unknown key `learn.betta`; did you mean `beta`?",
        "mine.yaml:5: `workers` = 0: Input should be greater than or equal to 1",
    ]


def test_a_tag_makes_no_object(tmp_path: Path) -> None:
    target = tmp_path / "made"
    message = refused(tmp_path, f"name: !!python/object/apply:os.mkdir ['{target}']\n")
    assert message.startswith("mine.yaml:")
    assert not target.exists()


def test_a_missing_file_and_an_unknown_name_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no\.yaml` does not exist; recipes that ship: .*classroom"):
        load(str(tmp_path / "no.yaml"))
    with pytest.raises(RecipeError, match="there is no recipe `clasroom`; did you mean `classroom`"):
        load("clasroom")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match=r"not UTF-8 text \(byte 9\)"):
        load(str(tmp_path / "latin.yaml"))


def test_overrides_win_over_the_file_and_the_last_one_over_the_others(tmp_path: Path) -> None:
    text = "name: x\nlearn: {beta: 0.5, loss: dpo}\niterations: [{}, {learn: {beta: 0.7}}]\n"
    recipe = read(tmp_path, text, "learn.beta=0.1", "learn.beta=0.2", "about=a=b", "iterations.1.learn.loss=ipo")
    assert (recipe.learn.beta, recipe.learn.loss, recipe.about) == (0.2, "dpo", "a=b")
    assert [(s.learn.beta, s.learn.loss) for s in recipe.iterations] == [(0.2, "dpo"), (0.7, "ipo")]


@pytest.mark.parametrize(
    ("override", "value"),
    [("teach.max_problems=", None), ("teach.max_problems=null", None), ("teach.max_problems=7", 7)],
)
def test_an_override_may_unset(tmp_path: Path, override: str, value: int | None) -> None:
    assert read(tmp_path, "name: x\nteach: {max_problems: 3}\n", override).teach.max_problems == value


def test_an_override_reaches_into_what_was_switched_off(tmp_path: Path) -> None:
    recipe = read(
        tmp_path, "name: x\nsuggester_editor: null\nwriter: null\n", "writer.model=m", "suggester_editor.rounds=1"
    )
    assert recipe.writer is not None
    assert recipe.writer.model == "m"
    assert recipe.suggester_editor is not None
    assert recipe.suggester_editor.rounds == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("learn.beta", "has no `=`"),
        ("lern.beta=1", "unknown key `lern`; did you mean `learn`?"),
        ("learn.betta=1", "unknown key `learn.betta`; did you mean `beta`?"),
        ("learn.beta=[1", "not YAML"),
        ("name.sub=1", "`name` is a value, not a section"),
        ("seeds.sources.3.path=p", "no position in a list of 1"),
        ("seeds.sources.first.path=p", "no position in a list of 1"),
        ("screens.0.path=p", "--set screens.0.path: `0` is a value, not a section: 'digits'"),
    ],
)
def test_a_bad_override_is_named(tmp_path: Path, override: str, message: str) -> None:
    assert message in refused(tmp_path, "name: x\nscreens: [digits]\nseeds: {sources: [{name: gsm8k}]}\n", override)


def test_an_override_reaches_into_an_iteration_that_says_nothing(tmp_path: Path) -> None:
    recipe = read(tmp_path, "name: x\niterations:\n-\n- {}\n", "iterations.0.learn.beta=0.2")
    assert [step.learn.beta for step in recipe.iterations] == [0.2, 0.1]


def test_the_limit_is_the_seeds(tmp_path: Path) -> None:
    assert read(tmp_path, "name: x\n", limit=5).seeds.limit == 5


def test_iterations_take_what_they_do_not_say_from_the_sections_above(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        """
name: x
imitate: {learning_rate: 0.5, epochs: 3}
practice: {samples: 8}
learn: {learning_rate: 0.25, beta: 0.3}
iterations:
- practice: {problems: fresh}
- learn: {learning_rate: 0.125}
- more_sft: {epochs: 1}
-
""",
    )
    first, second, third, fourth = recipe.iterations
    assert (first.practice.samples, first.practice.problems, first.learn.learning_rate) == (8, "fresh", 0.25)
    assert (second.practice.problems, second.learn.learning_rate, second.learn.beta) == ("lessons", 0.125, 0.3)
    assert third.more_sft is not None
    assert (third.more_sft.learning_rate, third.more_sft.epochs) == (0.5, 1)
    assert fourth == Iteration(practice=recipe.practice, learn=recipe.learn)


ARMS = """
name: x
imitate: {epochs: 3}
learn: {beta: 0.3}
iterations:
- {}
- learn: {learning_rate: 1e-7}
variants:
  dpo: {learn: {loss: dpo}}
  short: {iterations: [{}]}
  control: {match_tokens_of: dpo, iterations: [{more_sft: {}}, {more_sft: {epochs: 1}}]}
"""


def test_an_arm_changes_what_it_names_and_shares_the_rest(tmp_path: Path) -> None:
    base = read(tmp_path, ARMS)
    made = arms(base)
    assert list(made) == ["dpo", "short", "control"]
    dpo = made["dpo"]
    assert (dpo.name, dpo.learn.loss, dpo.variants) == ("dpo", "dpo", {})
    # an arm's section reaches the iterations it takes over, and leaves what these say themselves
    assert [(s.learn.loss, s.learn.beta, s.learn.learning_rate) for s in dpo.iterations] == [
        ("dpo", 0.3, 1e-6),
        ("dpo", 0.3, 1e-7),
    ]
    assert len(made["short"].iterations) == 1
    steps = [s.more_sft for s in made["control"].iterations]
    assert steps == [SftSettings(epochs=3), SftSettings(epochs=1)]
    for arm in made.values():
        assert arm.model_copy(update={"name": "x", "learn": base.learn, "iterations": (), "match_tokens_of": None}) == (
            base.model_copy(update={"iterations": (), "variants": {}})
        )


def test_an_arms_imitation_reaches_the_controls_it_takes_over(tmp_path: Path) -> None:
    text = "name: x\niterations: [{more_sft: {epochs: 2}}]\nvariants:\n  slow: {imitate: {learning_rate: 0.5}}\n"
    (step,) = arms(read(tmp_path, text))["slow"].iterations
    assert step.more_sft == SftSettings(epochs=2, learning_rate=0.5)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ("a: {lern: {}}", r"variants\.a of x: unknown key `lern`; did you mean `learn`\?"),
        ("control: {match_tokens_of: kot}\n  kto: {}", "variant `control`: match_tokens_of `kot`; did you mean `kto`"),
        ("a: {match_tokens_of: b}\n  b: {match_tokens_of: a}", "goes in a circle: a → b → a"),
        ("a: {match_tokens_of: a}", "goes in a circle: a → a"),
        ("a: {match_tokens_of: b}\n  b: {iterations: [{}, {}]}", "`a` has 1 iterations and `b`, .* has 2"),
    ],
)
def test_a_bad_arm_is_named(tmp_path: Path, variants: str, message: str) -> None:
    base = read(tmp_path, f"name: x\niterations: [{{}}]\nvariants:\n  {variants}\n")
    with pytest.raises(RecipeError, match=message):
        arms(base)


def test_repeat_trains_the_base_and_every_arm_again_with_each_seed(tmp_path: Path) -> None:
    base = read(tmp_path, "repeat: [3, 4]\n" + ARMS)
    once = arms(read(tmp_path, ARMS))
    made = arms(base)
    assert list(made) == [*once, "seed 4", "dpo · seed 4", "short · seed 4", "control · seed 4"]
    assert (base.imitate.seed, {s.learn.seed for s in base.iterations}) == (3, {3})
    for name, arm in made.items():
        seed = 4 if name.endswith("seed 4") else 3
        assert (arm.name, arm.repeat, arm.variants) == (name, (), {})
        assert arm.imitate.seed == seed
        assert {(s.more_sft or s.learn).seed for s in arm.iterations} == {seed}
    # but for its seed an arm is what it was, so problems, lessons and benchmarks are shared
    assert made["dpo"] == seeded(once["dpo"], 3)
    again = seeded(once["dpo"], 4).model_copy(update={"name": "dpo · seed 4"})
    assert made["dpo · seed 4"] == again
    assert made["control"].match_tokens_of == "dpo"
    assert made["control · seed 4"].match_tokens_of == "dpo · seed 4"
    assert arms(read(tmp_path, "name: x\nrepeat: [7]\n")) == {}


def test_some_seeds_begin_from_another_base_and_their_arms_with_them(tmp_path: Path) -> None:
    arm = "variants: {dpo: {learn: {loss: dpo}}, own: {student: {base: mine}}}\n"
    recipe = read(tmp_path, "name: x\nrepeat: [0, 1, 2]\nrepeat_bases: {2: other}\n" + arm)
    bases = {name: found.student.base for name, found in arms(recipe).items()}
    usual = recipe.student.base
    assert bases == {
        "dpo": usual,
        "own": "mine",
        "seed 1": usual,
        "dpo · seed 1": usual,
        "own · seed 1": "mine",
        "seed 2": "other",
        "dpo · seed 2": "other",
        "own · seed 2": "mine",
    }
    assert all(not found.repeat_bases for found in arms(recipe).values())


@pytest.mark.parametrize("given", ["repeat: [0, 1]\nrepeat_bases: {0: other}", "repeat_bases: {3: other}"])
def test_a_base_for_a_seed_that_is_not_trained_or_the_first_is_refused(tmp_path: Path, given: str) -> None:
    assert "the seeds of `repeat` after its first" in refused(tmp_path, f"name: x\n{given}\n")


def test_a_seed_named_twice_or_an_arm_called_like_one_is_refused(tmp_path: Path) -> None:
    assert "mine.yaml:2: `repeat` = [1, 1]: names a seed twice" in refused(tmp_path, "name: x\nrepeat: [1, 1]\n")
    base = read(tmp_path, "name: x\nrepeat: [0, 1]\nvariants: {'seed 1': {}}\n")
    with pytest.raises(RecipeError, match="variant `seed 1` is called as `repeat` calls a seed"):
        arms(base)


@pytest.mark.parametrize("name", shipped())
def test_what_ships_can_be_read_resolved_and_written_back(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert recipe.about
    assert read(tmp_path, dump(recipe)) == recipe
    own = arms(recipe)
    assert all(arm.name == arm_name for arm_name, arm in own.items())
    of_first_seed, others = list(recipe.variants), [name for name in own if name not in recipe.variants]
    for arm in (own[name] for name in [*of_first_seed, *others[-1:]]):  # other seeds are written as the first is
        assert read(tmp_path, dump(arm), of_run=True) == arm


def test_how_many_arms_run_at_once_is_said_only_where_somebody_did(tmp_path: Path) -> None:
    assert read(tmp_path, dump(read(tmp_path, "name: x\n")), of_run=True).workers is None
    assert read(tmp_path, dump(read(tmp_path, "name: x\nworkers: 2\n")), of_run=True).workers == 2


def test_every_default_is_spelled_out(tmp_path: Path) -> None:
    text = dump(read(tmp_path, "name: x\n"))
    for line in ("  learning_rate: 1e-06", "  samples: 4", "  beta: 0.1", "reference: previous"):
        assert line in text.splitlines()


TRICKY = [
    "no",
    "null",
    "~",
    "",
    "1e-6",
    "1_000",
    "0x1f",
    "12:30:45",
    "2026-11-22",
    "a: b",
    "# c",
    "two\nlines\n",
    " x ",
    "- x",
    "{{x}}",
    "true",
    "%",
    "é\u2028",
    "\r\n\x85",
]
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.booleans(),
    st.none(),
)


@given(st.lists(VALUES, max_size=8))
@example(TRICKY)
@settings(max_examples=8, deadline=None)
def test_any_value_survives_being_written_and_read(values: list[object]) -> None:
    recipe = Recipe(name="x", about="\n".join(map(str, values)), variants={"arm": {"values": values}})
    with tempfile.TemporaryDirectory() as folder:
        assert read(Path(folder), dump(recipe)) == recipe


def test_a_limit_is_for_problems_that_are_taught_as_they_are_too(tmp_path: Path) -> None:
    """They are solved, and practised on, as dearly as seeds are."""
    text = "name: x\nseeds: {sources: [{name: gsm8k}]}\nas_they_are: {sources: [{name: dmath}]}\n"
    limited = read(tmp_path, text, limit=20)
    assert limited.as_they_are is not None
    assert (limited.seeds.limit, limited.as_they_are.limit) == (20, 20)
    assert load("paper", limit=20).as_they_are.limit == 20  # type: ignore[union-attr]
    assert read(tmp_path, "name: x\n", limit=20).as_they_are is None


LIMITED = """
name: x
start_from: {stage: problems, path: mine.jsonl}
seeds: [gsm8k, svamp]
variants:
  other seeds: {seeds: lila}
  more of them: {as_they_are: [dmath], seeds: {limit: 500}}
  another file: {start_from: {stage: lessons, limit: 9}}
  from the start: {start_from: null}
"""


def test_a_limit_is_for_problems_of_ones_own_file_and_for_every_arm(tmp_path: Path) -> None:
    recipe = read(tmp_path, LIMITED, limit=2)
    made = arms(recipe)
    limits = {
        name: [s and s.limit for s in (arm.start_from, arm.seeds, arm.as_they_are)]
        for name, arm in {"": recipe, **made}.items()
    }
    assert limits == {
        "": [2, 2, None],
        "other seeds": [2, 2, None],
        "more of them": [2, 2, 2],
        "another file": [2, 2, None],
        "from the start": [None, 2, None],
    }
    assert [s.name for s in made["other seeds"].seeds.sources] == ["lila"]


def test_a_limit_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a limit of 0"):
        read(tmp_path, "name: x\n", limit=0)


OWN = "name: x\nteacher: {model: m, base_url: 'http://localhost:8000/v1', options: {price: [0, 0], max_rows: 3}}\n"
PAID = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("overrides", "options"),
    [
        (("teacher.model=m",), {"price": [0, 0], "max_rows": 3}),
        (("teacher.concurrency=2",), {"price": [0, 0], "max_rows": 3}),
        (("teacher.model=gpt-4-turbo", f"teacher.base_url={PAID}"), {"max_rows": 3}),
        ((f"teacher.base_url={PAID}",), {"max_rows": 3}),
        (("teacher.base_url=http://127.0.0.1:9000/v1",), {"price": [0, 0], "max_rows": 3}),
        (("teacher.options.price=[3, 9]", "teacher.model=n"), {"price": [3, 9], "max_rows": 3}),
    ],
)
def test_a_price_is_not_carried_over_to_another_model(
    tmp_path: Path, overrides: tuple[str, ...], options: dict[str, object]
) -> None:
    assert read(tmp_path, OWN, *overrides).teacher.options == options


def test_an_arms_model_has_no_price_of_the_bases(tmp_path: Path) -> None:
    text = OWN + f"variants:\n  paid: {{teacher: {{model: gpt-4-turbo, base_url: '{PAID}'}}}}\n"
    text += "  other: {teacher: {model: n, options: {price: [3, 9]}}}\n  same: {teacher: {concurrency: 2}}\n"
    prices = {name: arm.teacher.options.get("price") for name, arm in arms(read(tmp_path, text)).items()}
    assert prices == {"paid": None, "other": [3, 9], "same": [0, 0]}


def test_an_arms_sections_reach_what_readiness_takes_from_them(tmp_path: Path) -> None:
    text = """
name: x
imitate: {epochs: 3}
evaluate: {temperature: 0.7}
iterations: [{}]
readiness: {evaluate: {benchmarks: [dev], samples: 8}, more_sft: {epochs: 1}}
variants:
  a: {imitate: {epochs: 5, learning_rate: 0.5}, evaluate: {benchmarks: [test], max_new_tokens: 7}}
  b: {imitate: {learning_rate: 0.5}, readiness: {more_sft: {learning_rate: 0.25}, evaluate: {samples: 2}}}
"""
    a, b = (arm.readiness for arm in arms(read(tmp_path, text)).values())
    assert a is not None
    assert b is not None
    assert a.more_sft == SftSettings(epochs=1, learning_rate=0.5)  # what readiness says itself stays
    assert (a.evaluate.benchmarks, a.evaluate.samples, a.evaluate.max_new_tokens) == (("dev",), 8, 7)
    assert b.more_sft == SftSettings(epochs=1, learning_rate=0.25)
    assert (b.evaluate.benchmarks, b.evaluate.samples) == (("dev",), 2)
