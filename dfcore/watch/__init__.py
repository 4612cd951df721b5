"""Folders in which whatever arrives is judged, once, by polling.

Polling and not the system's notifications (inotify and the like): those tell nothing of what other machines write to a
network share, lose events when many come at once, and know nothing of what happened while nobody watched.
"""

from dfcore.watch.alone import alone
from dfcore.watch.stream import Stream
from dfcore.watch.watcher import Pace, Watcher, resolved

__all__ = ["Pace", "Stream", "Watcher", "alone", "resolved"]
