#!/usr/bin/env python3
"""The Slack bot: `python sre_bot_slack.py`, from any directory."""

import sys

from sre_bot.app import main

if __name__ == "__main__":
    sys.exit(main())
