"""Where one machine is outgrown: the recipe stays, its model calls are made by Ray actors on many (extra `ray`).

Only the fill changes. `spread.py` deals blocks of requests to a crew of workers and hands their replies on, whoever the crew
is; `crew.py` makes a crew of Ray actors; `worker.py` is what runs in an actor: a backend, a ledger shard on its own node, and a
budget that is leased from the driver (`purse.py`). The ledger, the folds and the books stay where they were, with the driver.
"""
