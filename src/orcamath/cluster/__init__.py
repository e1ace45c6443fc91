"""Where one machine is outgrown: the recipe stays, its model calls and its training go to many (extra `ray`).

`engine.py` is a run's connection to the cluster. Calls: `spread.py` deals blocks of requests to a crew of workers and hands their
replies on, whoever the crew is; `crew.py` makes a crew of Ray actors; `worker.py` is what runs in an actor: a backend, a ledger
shard on its own node, and a budget that is leased from the driver (`purse.py`). `training.py` has the processes of a training
started there, `blocks.py` pure work. The ledger, the folds and the books stay where they were, with the driver.
"""
