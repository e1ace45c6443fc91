"""Agents that write problems out of problems, and the one driver that runs them (paper, section 2)."""
