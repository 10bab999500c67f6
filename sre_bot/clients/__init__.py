"""Whom we call: one file per system; wire shapes go in, dataclasses come out, failures become errors of `errors.py`."""
