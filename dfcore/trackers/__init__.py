"""Trackers that people have: MLflow, to which runs are mirrored, and TensorBoard, which opens on the folder of runs."""

from dfcore.trackers.address import Tracker, configured
from dfcore.trackers.findings import tracker_findings
from dfcore.trackers.launch import start_mirror
from dfcore.trackers.sent import Sent, recall, waits

__all__ = ["Sent", "Tracker", "configured", "recall", "start_mirror", "tracker_findings", "waits"]
