"""Runs: their folders, their states, and starting, stopping and resuming them."""

from dfcore.runs.launch import estimate, resume, start
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.runs.store import RunStore
from dfcore.runs.summary import summaries, summary

__all__ = ["Run", "RunStore", "State", "Status", "estimate", "resume", "start", "summaries", "summary"]
