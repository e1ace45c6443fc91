"""The embedded default: a grammar, a textbook that teaches from it, and a pupil small enough for two cores."""
