"""What others call the columns of a set of problems, first match first: GSM8K, Numina, MetaMathQA, OpenMathInstruct, …

One list for everything that reads a user's file: sources, what `init` sees, judging, the search for contamination.
"""

__all__ = ["ANSWER_COLUMNS", "PLAIN_COLUMNS", "QUESTION_COLUMNS"]

PLAIN_COLUMNS = {
    "question": ("question", "problem", "query"),
    "answer": ("answer", "expected_answer"),
    "solution": ("solution", "generated_solution", "response"),
}
"""Our column → names that hold the like wherever they stand: a run takes them unasked."""
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
"""With those that may hold something else: for what shows what it took."""
ANSWER_COLUMNS = (*PLAIN_COLUMNS["answer"], "final_answer", "target")
"""Of a gold answer; the same."""
