"""A stand-in for Anthropic's Messages API on loopback, so that demo and tests need no network and no key.

It answers the real Claude Code CLI (`ANTHROPIC_BASE_URL`), refuses what the real API refuses, and keeps a
record of every refusal. What it says comes from a scripted playbook, never from a model, and its first line
in every conversation says so. It knows nothing of the scenario: only the tool results it is sent.
"""
