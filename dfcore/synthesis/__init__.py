"""Fakes of our own making: real pictures through decoders, in pairs in which nothing but the traces differs."""
