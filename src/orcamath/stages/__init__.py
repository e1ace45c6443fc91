"""The stages of a recipe, one file a label: who has read `recipe.py` opens `stages/LABEL.py` next.

A stage says what it reads, what it writes and keeps the books; what can be tried with strings (how a reply is read, who is
paired with whom, what is too alike) lies in the rooms below, and training in `student/`.
"""
