"""Modules shared by the dashboard's pages."""
