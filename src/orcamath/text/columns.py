"""What others call the columns of a set of problems, first match first: GSM8K, Numina, MetaMathQA, OpenMathInstruct, …

One list for everything that reads a user's file: sources, what `init` sees, judging, the search for contamination.
"""

__all__ = ["ANSWER_COLUMNS", "PLAIN_COLUMNS", "QUESTION_COLUMNS"]

PLAIN_COLUMNS = {
    "question": ("question", "problem", "query"),
    "answer": ("answer", "expected_answer"),
    "solution": ("solution", "generated_solution", "response"),
}
"""Our column → names that mean it in every set we know: a run takes these columns without being told."""
QUESTION_COLUMNS = (
    *PLAIN_COLUMNS["question"],
    "sQuestion",
    "original_text",
    "Problem",
    "input",
    "text",
    "instruction",
    "prompt",
)
"""The same, and names that may mean something else: for commands that show which column they took."""
ANSWER_COLUMNS = (*PLAIN_COLUMNS["answer"], "final_answer", "target")
"""Likewise, for a gold answer."""
