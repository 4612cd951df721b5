"""The service: verdicts and heat-maps over HTTP, by the detectors and the one scoring path of the workbench.

`dfcore serve` starts it. Nothing here is imported by anything but that command, and the libraries of the extra `serve`
only by the modules that need them.
"""
