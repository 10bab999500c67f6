"""Measurements of what the README promises: `make bench`, or `python -m benchmarks NAME …` for some of them.

Each file measures one thing, on loopback, with real processes, and stops every one that it started. What is compared is
measured in one run, turn and turn about, so that the ratios hold on a machine whose speed nobody knows.
"""
