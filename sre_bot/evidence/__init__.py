"""Whether what was said stands in what was read: a report's claims against the tool results that they cite.

Pure: no clock, no file, no network. It proves that figures, quotations and services of a claim stand in the results it
names; whether the reasoning is right it cannot know.
"""
