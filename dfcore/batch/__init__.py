"""Batch prediction for any number of files: constant memory, resumable after a kill, written as a table."""
