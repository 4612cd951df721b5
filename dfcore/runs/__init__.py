"""Training runs: folders, states, and starting, stopping and resuming."""

from dfcore.runs.launch import estimate, require_data, resume, start
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.runs.store import RunStore
from dfcore.runs.summary import DAMAGED, readable, summaries, summary

__all__ = [
    "DAMAGED",
    "Run",
    "RunStore",
    "State",
    "Status",
    "estimate",
    "readable",
    "require_data",
    "resume",
    "start",
    "summaries",
    "summary",
]
