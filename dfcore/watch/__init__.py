"""Folders in which whatever arrives is judged."""
