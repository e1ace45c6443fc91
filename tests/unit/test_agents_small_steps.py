"""Ask-Me-Anything in small steps and the editor that only adds: what is put together here out of short replies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orcamath.agents import ask_me_anything, editor, suggester
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.comparisons import wrong_sides
from orcamath.agents.driver import examine
from orcamath.agents.editor import EditorSettings
from orcamath.agents.gaps import about_another, gaps
from orcamath.agents.hidden_numbers import hidden
from orcamath.agents.replies import Piece
from orcamath.agents.small_writer.ask_each import Asker, QuestionSettings, Target, Told, opening_for
from orcamath.agents.small_writer.hiding import question_of, without
from orcamath.agents.small_writer.ideas import idea_for
from orcamath.agents.small_writer.mismatch import mismatch
from orcamath.agents.suggester import Suggested, SuggesterSettings
from orcamath.agents.wellformed import ask_of
from orcamath.answers import quantities
from orcamath.ports import Reply, Request
from orcamath.records import Problem, Rejected
from orcamath.stages.ask import ask
from orcamath.stages.edit import EditSettings, edit
from scripted import Bench, Scripted, seed, user_text

PENS = "Ann has 3 pens and buys 4 at $2 each. How many pens has she now?"


@pytest.mark.parametrize(
    ("statement", "n", "expected"),
    [
        ("A ferry carries 48 cars on each trip.", 0, "A ferry carries some cars on each trip."),
        ("Mila makes $10 an hour.", 0, "Mila makes some dollars an hour."),
        ("Mila makes ₹10 an hour.", 0, "Mila makes some rupees an hour."),
        ("Mila makes Rs.10 an hour.", 0, "Mila makes some rupees an hour."),
        ("Mila saves £10 a week.", 0, "Mila saves some pounds a week."),
        ("30% of them are boys.", 0, "A certain percentage of them are boys."),
        ("She ate half of the plums.", 0, "She ate a certain fraction of the plums."),
        ("He is 1/2 the age of Al.", 0, "He is a certain fraction of the age of Al."),
        ("It flew twice as far.", 0, "It flew a certain number of times as far."),
        ("She has 3 times more bunnies.", 0, "She has a certain number of times more bunnies."),
        ("The 4 boys and Ann's 5 cats ran.", 0, "The boys and Ann's 5 cats ran."),
        ("The 4 boys and Ann's 5 cats ran.", 1, "The 4 boys and Ann's cats ran."),
        ("The first 3 days were cold.", 0, "The first days were cold."),
        ("The four episodes last 4 hours.", 1, "The four episodes last some hours."),
        ("He pays with an $80 note.", 0, "He pays with a note."),
        ("Grandma gave her $125 to save.", 0, "Grandma gave her some dollars to save."),
        ("They won 1 game and drew 3.", 0, "They won some games and drew 3."),
        ("They won 1 game and drew 3.", 1, "They won 1 game and drew some."),
        ("It costs less than 9 dollars.", 0, "It costs less than a certain number of dollars."),
        ("She takes another 5 steps.", 0, "She takes some more steps."),
        ("5 cats sleep.", 0, "Some cats sleep."),
        ("It has 3 spots and 1 wine stain.", 1, None),
        ("He builds 1 rocking chair.", 0, None),
        ("The cost of the pizzas the two made.", 0, None),
        ("He gets a fixed $20 allowance.", 0, None),
        ("It rained 1 inch. He fed 1 child.", 0, "It rained some inches. He fed 1 child."),
        ("It rained 1 inch. He fed 1 child.", 1, "It rained 1 inch. He fed some children."),
        ("He reads it in 1 week?", 0, "He reads it in some weeks?"),
        ("She runs 1 mile each day.", 0, "She runs some miles each day."),
        ("They ate for another 1 hour and left.", 0, "They ate for some more hours and left."),
        ("It takes an additional 10 minutes.", 0, "It takes some more minutes."),
        ("2 swims before and 1 after school.", 1, "2 swims before and some after school."),
        ("The number of boys is 30.", 0, "The number of boys is a certain number."),
        ("A friend brought her 20 pairs of socks.", 0, "A friend brought her some pairs of socks."),
        ("Of the 5 birds 1 left.", 1, "Of the 5 birds some left."),
        ("Of the 5 birds 1 died.", 1, "Of the 5 birds some died."),
        ("A hat is red, and that's 4 more than a cap.", 0, "A hat is red, and that's some more than a cap."),
        ("It’s 5 miles to her house.", 0, "It’s some miles to her house."),
        ("There's 3 of them.", 0, "There's some of them."),
        ("The shop's 5 clerks left.", 0, "The shop's clerks left."),
        ("There is 1 game on Monday.", 0, "There is a certain number of games on Monday."),
    ],
)
def test_a_statement_without_one_of_its_numbers(statement: str, n: int, expected: str | None) -> None:
    assert without(statement, quantities(statement)[n]) == expected


@pytest.mark.parametrize(
    ("statement", "marked"),
    [
        ("Al is 30. Si is 5 years older.", ["Al is [30].", "Si is [5] years older."]),
        ("From May 5 to August 1 he lost 3 teeth.", ["From May 5 to August 1 he lost [3] teeth."]),
        ("A 20-foot rope of 3 colours, at 7 pm, in 2015.", ["A 20-foot rope of [3] colours, at 7 pm, in 2015."]),
        ("Eggs come by the dozen.  One owl ate 250ml, or every 3 days 1st.", []),
        ("Mr. Smith has 5 hens.\nHe sells 2.", ["Mr. Smith has [5] hens.", "He sells [2]."]),
    ],
)
def test_the_numbers_that_can_be_hidden(statement: str, marked: list[str]) -> None:
    assert [g.marked for g in gaps(statement)] == marked


@pytest.mark.parametrize(
    ("marked", "question", "rule"),
    [
        ("Agnes works [8] hours each week.", "How many hours does Agnes work each week?", None),
        ("Agnes works [8] hours each week.", "How long does Agnes work each week?", None),
        ("Mila makes [$10] an hour while Agnes makes $15 an hour.", "How much does Mila make per hour?", None),
        (
            "Mila makes $10 an hour while Agnes makes [$15] an hour.",
            "How much does Mila make an hour?",
            "about_another",
        ),
        ("Mila saves [₹10] a week.", "How many rupees does Mila save a week?", None),
        ("Mila saves [€10] a week.", "How many € does Mila save a week?", None),
        ("Mila saves [€10] a week.", "How many coins does Mila save a week?", "kind"),
        ("The class had [12] girls and 13 boys.", "How many girls were in the class?", None),
        ("The class had 12 girls and [13] boys.", "How many girls were in the class?", "kind"),
        ("The team has won 2 games and tied [2].", "How many games did the team win?", "nearer"),
        ("The team won [1] game and drew 3.", "How many games did the team win?", None),
        ("[7] hens and 8 ducks weigh a total of 90 pounds.", "How many hens weigh a total of 90 pounds?", "worked_out"),
        ("He ran a total of [60] miles in 5 days.", "How many miles did he run in total?", None),
        ("Altogether 3 friends picked [24] apples.", "How many apples did they pick altogether?", None),
        ("A farmer has a total of [90] animals on 2 farms.", "How many animals has the farmer in total?", None),
        ("[3] bags weigh a total of 40 kg.", "How many bags weigh a total of 40 kg?", None),
        ("She earns a total of $90 in [two] weeks.", "In how many weeks does she earn a total of $90?", None),
        ("[Twice] as many people drank tea as milk.", "How many times did people drink tea?", "kind"),
        ("It rained [three] times as much in May.", "How many times does it rain in May?", "kind"),
        ("[Twice] as many people drank tea as milk.", "How many times as many people drank tea as milk?", None),
        ("The bell rings [3] times a day.", "How many times does the bell ring a day?", None),
        ("A tray has [6] buns and each bun holds 40 raisins.", "How many buns with raisins does it hold?", None),
        (
            "The plane has 10 seats in first class, and [30] in business class.",
            "How many seats are in first class?",
            "about_another",
        ),
        ("At the party [30%] of them are boys.", "How many of them are boys at the party?", "kind"),
        ("At the party [30%] of them are boys.", "What percentage of them are boys at the party?", None),
        ("The four episodes last [4] hours.", "How many hours does each episode last?", "worked_out"),
        ("She has [5] teddies, 3 times more bunnies, and a bear.", "How many teddies does she have?", None),
        ("Al is [30] years old and Si is 5 years older.", "How many years is Si older?", "about_another"),
        ("Al is [30] years old and Si is 5 years older.", "How old is Al?", None),
        ("Al is [30] years old and Si is 5 years older.", "How old is Si?", "about_another"),
        (
            "He slept half a day on Monday, [4] hours on Tuesday.",
            "How many hours did he sleep on Monday?",
            "about_another",
        ),
        ("They won [1] game and drew 3.", "What game did they win?", "no_number"),
        ("He has [5] more than triple the stamps of Ed.", "How many stamps has he?", "kind"),
        ("He has [5] more stamps than Ed.", "How many more stamps than Ed has he?", None),
        ("The total number of cases in [2] weeks is 21000.", "What is the total number of cases?", "kind"),
        ("Rooms cost twice as much as cars, but only [two] rooms are let.", "What is the cost of the rooms?", "kind"),
        ("Each owl costs [28] gold.", "What is the cost of each owl?", None),
        ("She pays [$5] for a hat.", "Who pays for a hat?", "no_number"),
        ("She pays [$5] for a hat.", "How much does Zoe pay for a hat?", "about_another"),
        ("It flew [twice] as far as the car.", "How many times as far as the car did it fly?", None),
        ("A kite flew [twice] as far as a car.", "How many times as far as a kite did a car fly?", "about_another"),
        (
            "Natalia sold [48] clips in April, and half as many in May.",
            "How many clips did Natalia sell in May?",
            "about_another",
        ),
        (
            "Natalia sold [48] clips in April, and half as many in May.",
            "How many clips did Natalia sell in April?",
            None,
        ),
        ("Natalia sold [48] clips in April, and half as many in May.", "How many clips did Natalia sell?", None),
        (
            "Julie read [12] pages yesterday and 24 pages today.",
            "How many pages did Julie read today?",
            "about_another",
        ),
        (
            "Betty got [$15] from her parents and $30 from her grandparents.",
            "How much did Betty get from her grandparents?",
            "about_another",
        ),
        (
            "Betty got [$15] from her parents and $30 from her grandparents.",
            "How much did Betty get from her parents?",
            None,
        ),
        ("Al's soap is double strength and washes [80] loads.", "How many loads does Al's soap wash?", None),
        ("Weng makes [12] dollars an hour for babysitting.", "How much does Weng make an hour?", None),
        ("Ken spends [3] hours on homework.", "How many hours does Ken spend on homework?", None),
        ("Ken spends [3] hours on homework.", "What is the cost of his homework?", "kind"),
    ],
)
def test_by_which_rule_a_question_does_not_ask_for_the_number_marked(
    marked: str, question: str, rule: str | None
) -> None:
    plain = marked.replace("[", "").replace("]", "")
    gap = next(g for g in gaps(plain) if g.marked == marked)
    assert mismatch(question, gap, plain) == rule


@pytest.mark.parametrize(
    ("told", "question", "wrong"),
    [
        (
            "The kite flew [3 times] farther than the chair.",
            "How many times farther is the chair compared to the kite?",
            True,
        ),
        (
            "The kite flew [3 times] farther than the chair.",
            "How many times farther than the kite did the chair fly?",
            True,
        ),
        (
            "The kite flew [3 times] farther than the chair.",
            "How many times farther than the chair did the kite fly?",
            False,
        ),
        ("The kite flew [3 times] farther than the chair.", "How many times farther did it fly than the chair?", False),
        ("The kite flew [3 times] farther than the chair.", "How many times farther did the kite fly?", False),
        ("A chair was blown [twice] as far as the car had been.", "How many times as far as the car had been?", True),
        (
            "A chair was blown [twice] as far as the car had been.",
            "How many times as far as the car was the chair?",
            False,
        ),
        ("It flew [twice] as far as the car.", "How many times as far as the car did it fly?", False),
        ("Si is [5] years older than Al.", "How many years older is Al than Si?", True),
        ("Si is [5] years older than Al.", "How many years older than Al is Si?", False),
        ("Si is [5] years older than Al.", "How many years older is Si?", False),
        ("There are [4] more boys than girls.", "How many more girls than boys are there?", True),
        ("There are [4] more boys than girls.", "How many more boys than girls are there?", False),
        ("In the zoo are [4] more lions than tigers.", "How many more lions than tigers are there?", False),
        ("Jo ran [5] miles, which is more than Al ran.", "How many miles more than Jo did Al run?", True),
        ("A pen costs [$2] more than a ruler.", "How much more does a pen cost than a ruler?", False),
        ("Ann read [12] more pages than Bo and Cy.", "How many more pages did Ann read than Cy?", False),
        ("She has [3 times] as many pens as Tom.", "How many times as many pens as Tom does she have?", False),
        ("She works [3 times] a week as a nurse.", "How many times a week does she work as a nurse?", False),
    ],
)
def test_a_question_keeps_the_sides_of_a_comparison(told: str, question: str, wrong: bool) -> None:
    before, _, rest = told.partition("[")
    assert wrong_sides(question, before, rest.partition("]")[2]) is wrong


@pytest.mark.parametrize(
    ("problem", "told", "ask"),
    [
        (PENS, "Ann has 3 pens and buys 4 at $2 each.", "How many pens has she now?"),
        ("Ann has 3 pens. If she buys 4, how many has she?", "Ann has 3 pens. She buys 4.", "How many has she?"),
        ("How old is Al? He is 3 years younger than Bo, 9.", "He is 3 years younger than Bo, 9.", "How old is Al?"),
    ],
)
def test_what_a_problem_tells_and_what_it_asks(problem: str, told: str, ask: str) -> None:
    assert question_of(problem, ask_of(problem)) == (told, ask)


def answers(*replies: tuple[str, str]) -> Scripted:
    """Answer by what the user part holds; the first that fits."""
    return Scripted(lambda r: next((reply for part, reply in replies if part in user_text(r)), "no idea"))


def test_every_number_but_the_answer_is_asked_for_in_the_problems_own_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    chat = answers(
        ("<answer>\n7\n", "<statement>She has 7 pens now.</statement>"),
        ("[3]", "<question>How many pens has Ann?</question>"),
        ("[4]", "<question>How many pens does she buy?</question>"),
        ("[$2]", "<question>How much does each pen cost?"),
    )
    seeds = bench.table([seed(PENS, "7", licence="MIT")])
    made = bench.run(lambda out: ask(out, AskSettings(calls="each"), seeds, bench.model(chat)))
    assert [(p.question, p.answer, p.target) for p in made.read(Problem)] == [
        ("Ann has some pens and buys 4 at $2 each. She has 7 pens now. How many pens has Ann?", "3", "3"),
        ("Ann has 3 pens and buys some at $2 each. She has 7 pens now. How many pens does she buy?", "4", "4"),
        ("Ann has 3 pens and buys 4 at some dollars each. She has 7 pens now. How much does each pen cost?", "2", "$2"),
    ]
    (parent,) = seeds.read(Problem)
    for p in made.read(Problem):
        assert (p.parents, p.licence, p.answer_from, p.round) == ((parent.id,), "MIT", "hidden_number", 1)
    assert len(chat.asked) == 4
    assert made.facts["targets"] == 3


def test_a_number_that_cannot_be_taken_out_is_not_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    chat = answers(("<answer>", "<statement>He paints 3 things.</statement>"))
    seeds = bench.table([seed("Al paints 1 rocking chair and 2 stools. How many things does he paint?", "3")])
    made = bench.run(lambda out: ask(out, AskSettings(calls="each"), seeds, bench.model(chat)))
    assert made.facts["targets"] == 1
    assert all("[1]" not in user_text(r) for r in chat.asked)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("<statement>How many pens has she now? 7</statement>", "statement_asks"),
        ("<statement>She has many pens now.</statement>", "statement_lacks_answer"),
        ("<statement>She has 7 pens now, 5 of them red.</statement>", "statement_added_number"),
        ("<statement>The weather costs 7.</statement>", "statement_tells_something_else"),
        ("She has seven.", "wrong_format"),
        ("<statement>She has €7 of pens now", None),
    ],
)
def test_a_sentence_that_does_not_tell_the_answer_is_asked_for_again(
    tmp_path: Path, reply: str, reason: str | None
) -> None:
    bench = Bench(tmp_path)
    chat = Scripted(lambda r: reply if "<answer>" in user_text(r) else "<question>hm</question>")
    settings = AskSettings.model_validate({"calls": "each", "statement": {"tries": 2}})
    seeds = bench.table([seed(PENS, "7")])
    made = bench.run(lambda out: ask(out, settings, seeds, bench.model(chat)))
    assert made.count("problems") == 0
    if reason is not None:
        assert made.facts["failed_calls"] == {reason: 2}


def test_a_word_that_is_a_number_only_in_its_sentence_is_hidden_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    chat = answers(
        ("<answer>", "<statement>He sold 5 pears.</statement>"),
        ("[a quarter]", "<question>What fraction of the pears did he sell?</question>"),
    )
    seeds = bench.table([seed("Jo sold a quarter of the 20 pears. How many pears did he sell?", "5")])
    made = bench.run(lambda out: ask(out, AskSettings(calls="each"), seeds, bench.model(chat)))
    assert [(p.question, p.answer) for p in made.read(Problem)] == [
        ("Jo sold a certain fraction of the 20 pears. He sold 5 pears. What fraction of the pears did he sell?", "0.25")
    ]


@pytest.mark.parametrize(
    ("statement", "opening"),
    [
        ("She ate half of the plums.", "What fraction"),
        ("30% of them are boys.", "What percentage"),
        ("It flew 3 times as far.", "How many times"),
        ("She has $5.", None),
        ("She has 5 pens.", None),
    ],
)
def test_shares_and_multiples_get_the_opening_that_small_writers_miss(statement: str, opening: str | None) -> None:
    (gap,) = gaps(statement)
    assert opening_for(gap) == opening
    told = Told(seed(statement, "1"), statement, 0)
    request = Asker(QuestionSettings(), QuestionSettings().loaded()).request(Target(told, gap), 0)
    assert ("The question begins: " + str(opening) in user_text(request)) is (opening is not None)


def test_a_statement_has_no_unit_that_the_problem_has_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    seeds = bench.table([seed("Ann has 3 pens and buys 4. How many pens has she now?", "7")])
    for told in ("She has $7 in pens now.", "She has 7 days of pens now."):
        chat = Scripted(lambda r, told=told: f"<statement>{told}</statement>")
        chat.fingerprint = told
        made = bench.run(lambda out, chat=chat: ask(out, AskSettings(calls="each"), seeds, bench.model(chat)))
        assert set(made.facts["failed_calls"]) == {"statement_changed_unit"}


def added(reply: str, problem: str = PENS) -> str | None:
    """Return the edited problem, or the reason why there is none: a rule's is of the whole problem, which it carries."""
    agent = editor.make(EditorSettings(writes="added"))
    made = agent.parse(Reply(b"", reply), Suggested(seed(problem), ("Harder.",)))
    if isinstance(made, Rejected):
        assert made.reason in ("wrong_format", "refused") or made.text.startswith(problem[: problem.rindex(".")])
        return made.reason
    (one,) = made
    return one.reason if isinstance(one, Rejected) else one.question


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            "<added>She gives 2 of her pens away.</added><question>How many pens are left to her?</question>",
            "Ann has 3 pens and buys 4 at $2 each. She gives 2 of her pens away. How many pens are left to her?",
        ),
        ("<added>She has 9 pens now.</added><question>How many pens are red?</question>", "answer_given_away"),
        ("<added>She gives some away.</added><question>How many pens are left to her?</question>", "adds_no_number"),
        ("<added>She gives 2 away.</added><question>How many pens has she now?</question>", "unchanged"),
        ("<added>Has she 2 bags?</added><question>How many pens are in a bag?</question>", "several_questions"),
        ("<added>She has 3 + 4 = 7.</added><question>How many pens are in a bag?</question>", "answer_given_away"),
        (
            "<added>She shares them among 2 friends.</added><question>How many does Zoe get?</question>",
            "asks_something_else",
        ),
        ("<added>Trains leave at 4 stations.</added><question>What is their speed?</question>", "another_story"),
        ("<added>He gives 2 of his pens away.</added><question>How many pens has he left?</question>", "unclear_who"),
        (
            "<added>She gives 2 of them away.</added><question>How many years are left to her?</question>",
            "asks_something_else",
        ),
        ("<added>She gives 2 of her pens away.</added>", "wrong_format"),
        ("I am sorry, I cannot.", "refused"),
    ],
)
def test_an_addition_goes_on_from_the_problem(reply: str, expected: str) -> None:
    assert added(reply) == expected


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ("Jo has 9 plums.", None),  # one person, who may be either
        ("Jo has 9 plums in his bag.", None),
        ("Jo has 9 plums in her bag.", "unclear_who"),
        ("Jo and Al have 9 plums.", "unclear_who"),
        ("There are 9 plums.", "unclear_who"),
    ],
)
def test_a_pronoun_in_an_addition_means_somebody_who_is_there(story: str, reason: str | None) -> None:
    reply = "<added>He gives 2 of the plums away.</added><question>How many plums has he left?</question>"
    found = added(reply, f"{story} How many plums are there in all?")
    assert found == (reason or f"{story} He gives 2 of the plums away. How many plums has he left?")


def test_a_number_of_the_old_question_must_not_go_with_it() -> None:
    before = "Ann has 3 pens and buys some. How many pens has she if she buys 4?"
    reply = "<added>She gives 2 of her pens away.</added><question>How many pens are left to her?</question>"
    assert added(reply, before) == "edit_lost_number"


def test_small_writers_get_an_idea_that_fits_the_question(tmp_path: Path) -> None:
    asked: list[Request] = []

    def say(r: Request) -> str:
        asked.append(r)
        if "<idea>" in user_text(r):
            return "<suggestion>Let her give away 2 and ask how many are left.</suggestion>"
        return "<added>She gives 2 of her pens away.</added>\n<question>How many pens are left to her?</question>"

    bench = Bench(tmp_path)
    settings = EditSettings.model_validate({"rounds": 1, "suggester": {"ideas": True}, "editor": {"writes": "added"}})
    seeds = bench.table([seed(PENS, "7")])
    made = bench.run(lambda out: edit(out, settings, seeds, bench.model(Scripted(say))))
    assert [p.question.split("each. ")[1] for p in made.read(Problem)] == [
        "She gives 2 of her pens away. How many pens are left to her?"
    ]
    assert all("<question>\nHow many pens has she now?\n</question>" in user_text(r) for r in asked)
    assert "years" in idea_for(seed("Al is 3. How old is Bo?")) or "old" in idea_for(seed("Al is 3. How old is Bo?"))


def test_prompts_for_small_writers_have_fingerprints_of_their_own() -> None:
    assert AskSettings().contents() != AskSettings(calls="each").contents()
    assert len(AskSettings(calls="each").contents()) == 2
    whole, only_added = EditorSettings(), EditorSettings(writes="added")
    assert whole.contents() != only_added.contents()
    assert suggester.make(SuggesterSettings(ideas=True)).prompt.name == "suggester_idea"


STATEMENT = "Natalia sold 48 clips in April, and half as many in May. She sold 72 clips altogether."
TOLD = "Natalia sold some clips in April, and half as many in May. She sold 72 clips altogether. How many clips did she sell in"


def asked_in_one_call(month: str) -> Sequence[Problem | Rejected] | Rejected:
    item = seed("Natalia sold 48 clips in April, and half as many in May. How many did she sell altogether?", "72")
    reply = f"<statement>{STATEMENT}</statement><target>48</target><question>{TOLD} {month}?</question>"
    return examine(ask_me_anything.make(AskSettings()), Reply(b"", reply), item)


def test_one_call_is_held_to_the_same_question_and_a_reply_without_a_problem_failed() -> None:
    april, may = asked_in_one_call("April"), asked_in_one_call("May")
    assert not isinstance(april, Rejected)
    assert [p.answer for p in april if isinstance(p, Problem)] == ["48"]
    assert isinstance(may, Rejected)
    assert (may.reason, may.detail) == ("no_problem", "1 asks_something_else")


CLASSES = (
    "The first class had 12 girls and 13 boys. The second class had 15 girls and 11 boys while the third had 9 girls."
)


@pytest.mark.parametrize(
    ("statement", "hidden_number", "question", "another"),
    [
        (CLASSES, "13", "How many boys were in the first class?", False),
        (CLASSES, "9", "How many girls were in the second class?", True),
        ("Ann gave Bob 5 pens and kept 7.", "7", "How many pens did Bob get?", True),
        ("Ann had 5 pens and Bob had 7.", "7", "How many pens had Ann?", True),
        ("The shop had 5 pens in May and 7 in June.", "7", "How many pens were there in May?", True),
    ],
)
def test_what_a_sentence_is_about_stands_by_all_its_numbers(
    statement: str, hidden_number: str, question: str, another: bool
) -> None:
    (gap,) = (g for g in gaps(statement) if g.quantity.text == hidden_number)
    assert about_another(question, gap, statement) is another


def test_whether_to_ask_again_is_known_at_the_first_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def seen(piece: Piece, *args: Any, **named: Any) -> Problem | Rejected:
        read.append(piece.text)
        return hidden(piece, *args, **named)

    monkeypatch.setattr("orcamath.agents.hidden_numbers.hidden", seen)
    item = seed("Natalia sold 48 clips in April, and half as many in May. How many did she sell altogether?", "72")
    pair = f"<target>48</target><question>{TOLD} {{}}?</question>"
    reply = f"<statement>{STATEMENT}</statement>{pair.format('May')}{pair.format('April')}{pair.format('April')}"
    made = ask_me_anything.make(AskSettings()).parse(Reply(b"", reply), item)
    assert not isinstance(made, Rejected)
    assert len(read) == 2, "the rejected one, and the first problem"
    assert [type(m) for m in made] == [Rejected, Problem, Problem]
    assert len(read) == 3


def test_a_reply_without_a_problem_is_asked_for_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def say(r: Request) -> str:
        month = "April" if r.draw else "May"
        return f"<statement>{STATEMENT}</statement><target>48</target><question>{TOLD} {month}?</question>"

    item = seed("Natalia sold 48 clips in April, and half as many in May. How many did she sell altogether?", "72")
    made = bench.run(lambda out: ask(out, AskSettings(), bench.table([item]), bench.model(Scripted(say))))
    assert [p.answer for p in made.read(Problem)] == ["48"]
    assert (made.balance["asked"], made.facts["failed_calls"]) == (2, {"no_problem": 1})


EARNED = "Mia sells 3 hats at $5 each. How much does she earn?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mia sells 3 hats at $5 each. How much does she earn for the entire day?", "unchanged"),
        ("Mia, a good seller, sells 3 hats at $5 each. How much money does she earn?", "unchanged"),
        ("Mia sells 3 hats at $5 each and pays $2 for the stand. How much does she earn?", None),  # a number
        ("Mia sells 3 hats at $5 each. If she gives half away, how much does she earn?", None),  # a condition
        ("Mia sells 3 hats at $5 each. How many more such hats bring her to twice that?", None),  # a step
    ],
)
def test_an_edit_without_a_new_number_condition_or_step_is_no_edit(text: str, reason: str | None) -> None:
    agent = editor.make(EditorSettings())
    made = agent.parse(Reply(b"", f"<edited_problem>{text}</edited_problem>"), Suggested(seed(EARNED), ("Harder.",)))
    assert (made.reason if isinstance(made, Rejected) else None) == reason
