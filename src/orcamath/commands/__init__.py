"""What the verbs do: each function joins the rooms for one command. `cli` only gathers arguments."""
