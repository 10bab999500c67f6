"""`python -m sre_bot.root_cause`: one question as JSON on stdin, its ranking as JSON on stdout.

The question is `{"metrics_csv": path, "graph": {caller: [callee, …]}, "target": [service, metric, statistic],
"issue_start": Unix seconds}`.
"""

import json
import sys
from pathlib import Path

from sre_bot.root_cause.datasets import as_json, rank_csv


def main() -> int:
    """Answer; status 2 and a sentence on stderr where the question cannot be read."""
    try:
        question = json.load(sys.stdin)
        ranking = rank_csv(
            Path(question["metrics_csv"]), question["graph"], question["target"], float(question["issue_start"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"The question cannot be answered: {type(error).__name__}: {error}. {__doc__}\n")
        return 2
    sys.stdout.write(f"{json.dumps(as_json(ranking))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
