"""Commands of the `dfcore` command line, one module per task: parse arguments, call the library, print results."""
