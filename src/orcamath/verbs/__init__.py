"""The command line's verbs, a file a group. No logic: each gathers its arguments and calls the room that does the work."""
