"""The simulated fleet: four services whose requests really queue, in one process.

Nothing here invents a symptom. A request computes, waits for a connection and runs a query; the
metrics and the log lines are what those requests measured and wrote. It refuses to be anything but
a simulation: it opens no database and calls nobody.
"""
