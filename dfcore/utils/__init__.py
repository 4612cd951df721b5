"""Shared utilities: files, archives, processes, text, optional dependencies."""
