"""The commands of `dfcore …`, one file a task: arguments in, library calls, answers out."""
