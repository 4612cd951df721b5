"""Trackers that people have: MLflow, to which runs are mirrored, and TensorBoard, which opens on the folder of runs."""

from dfcore.trackers.address import Tracker, configured
from dfcore.trackers.launch import start_mirror
from dfcore.trackers.sent import Sent, at_work, lacking, recall, waits

__all__ = ["Sent", "Tracker", "at_work", "configured", "lacking", "recall", "start_mirror", "waits"]
