"""One file for each change; what was shipped is never altered again."""
