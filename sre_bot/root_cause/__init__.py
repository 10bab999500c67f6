"""Which service broke first: a computed ranking, so that a cause is a figure before it is a sentence.

What is ranked is the extra time (or the extra failures) of a service that the services it calls do not explain: physics
before statistics. `ranking` is a pure function of plain data; `live` reads that data from a Prometheus, `datasets` from
a CSV file. numpy is imported by the first ranking only. It refuses to be sure: a ranking is a lead with figures.
"""
