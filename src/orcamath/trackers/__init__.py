"""Where a training's numbers go besides `metrics.jsonl`: a file a tracker, each with `open_tracker(run)`.

Off unless a recipe names one (`trackers: [tensorboard]`). Every package is an extra, imported when the tracker is opened.
"""
