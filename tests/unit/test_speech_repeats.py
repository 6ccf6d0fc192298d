import pytest

from ringback.speech.repeats import cut_repeats


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Yes. Yes.", "Yes."),
        ("Who is this? Who is this? Who is this?", "Who is this?"),
        (
            "I would like to go. Please. I would like to go. Please.",
            "I would like to go. Please.",
        ),
        ("move it to Tuesday, please, move it to Tuesday please", "move it to Tuesday, please,"),
        ("and then and then and then and then and then", "and then"),
        ("Well. I'm I'm I'm I'm I'm sorry.", "Well. I'm sorry."),
    ],
)
def test_restarts_and_loops_are_said_once(said: str, kept: str) -> None:
    assert cut_repeats(said) == kept


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Yes, yes, that is fine.",
        "No, no, no.",
        "It is 5 5 5 5 5 1 2",
        "12 12 12 12 12",
        "That that is is.",
        "Thank you. Goodbye. Thank you.",
    ],
)
def test_what_people_say_stays(said: str) -> None:
    assert cut_repeats(said) == said
