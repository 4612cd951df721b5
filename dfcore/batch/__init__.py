"""Any number of files at once: prediction in constant memory, resumed after a kill, written as a table."""
