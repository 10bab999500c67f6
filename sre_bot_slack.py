#!/usr/bin/env python3
"""The Slack bot: `python sre_bot_slack.py`, from any directory; with `--check` it only looks whether all is well."""

import argparse
import gc
import sys

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The Slack bot.", allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="look at everything that the bot needs, and end")
    check = parser.parse_args().check
    gc.disable()  # nothing that is imported is garbage: looking for it takes a fifth of the start
    if check:
        from sre_bot.doctor.examination import main
    else:
        from sre_bot.app import main
    gc.freeze()
    gc.enable()
    sys.exit(main())
