"""Inspection of single images: verdicts with what they mean, the file's own evidence, and forensic figures."""

from dfcore.inspection.agreement import agreement, titles
from dfcore.inspection.alarm import ONE_IN, Alarm, alarm
from dfcore.inspection.answers import Answers, answers, aside
from dfcore.inspection.looks import looks_like
from dfcore.inspection.record import record

__all__ = ["ONE_IN", "Alarm", "Answers", "agreement", "alarm", "answers", "aside", "looks_like", "record", "titles"]
