"""What only small writers need: the agents' work in two calls or in small steps, and rules that put it together.

The paper's three agents (`ask_me_anything`, `suggester`, `editor`) read as the paper has them; their settings `calls: two`,
`calls: each`, `ideas` and `writes: added` lead here. Deviation: the paper's GPT-4 needs none of this
(docs/decisions/agents.md).
"""
