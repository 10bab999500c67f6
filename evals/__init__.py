"""Scenario evals: is the bot right? A fleet breaks in known ways, and code judges what is said about it.

`make evals` runs them. They stand beside `benchmarks/`, not in it: a benchmark says how fast or how dear something is
and has no verdict; a scenario passes or fails.
Nothing of a scenario reaches the bot, the tools or the model: they have the fleet's metrics, logs and record of
deployments.
"""
