"""What is kept: the ledger of model calls, sealed artifacts by digest, run folders.

`store/` is shared by all runs; a run folder only points into it. Nothing here knows what a problem is.
"""
