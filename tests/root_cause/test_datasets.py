"""Files of incidents: what is read from them, what the command answers, and the score of a folder of them."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import root_cause as benchmark
from sre_bot.root_cause.datasets import rank_csv
from sre_bot.settings import ROOT
from tests.root_cause.systems import ONSET, PAST, SHOP_CALLS, SINCE, START, STEP, shop


def write(path: Path, kind: str = "latency", /, first: int = 0, last: int = PAST + SINCE, **broken: Any) -> Path:
    observed = shop("latency" if kind == "latency" else "errors", **broken).observe()
    lines = [
        ",".join(
            ["t", *(f"{name}|{what}" for name in observed.services for what in (f"{kind}|Average", "requests|Sum"))]
        )
    ]
    for row in range(first, last):
        cells = [f"{START + STEP * row:.0f}"]
        for rows in observed.services.values():
            level = rows.level[row] if kind == "latency" else 100.0 * (1.0 - rows.level[row])
            cells += [f"{level}", f"{rows.requests[row]}"]
        lines.append(",".join(cells))
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize(("kind", "broken"), [("latency", 0.4), ("availability", 0.3)])
def test_a_file_is_ranked(tmp_path: Path, kind: str, broken: float):
    file = write(tmp_path / "m.csv", kind, stock=broken)
    ranking = rank_csv(file, SHOP_CALLS, ["web", kind, "Average"], ONSET)
    assert (ranking.suspects[0].service, ranking.verdict) == ("stock", "clear")


def ask(question: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sre_bot.root_cause"]
    return subprocess.run(command, input=question, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_command_speaks_json(tmp_path: Path):
    question = {
        "metrics_csv": str(write(tmp_path / "m.csv", stock=0.4)),
        "graph": SHOP_CALLS,
        "target": ["web", "latency", "Average"],
        "issue_start": ONSET,
    }
    done = ask(json.dumps(question))
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "clear"
    assert answer["suspects"][0]["service"] == "stock"


@pytest.mark.parametrize(
    "question",
    [
        "",
        "[]",
        "{}",
        '{"metrics_csv": "/nonexistent", "graph": {}, "target": ["a", "latency", "p99"], "issue_start": 1}',
    ],
    ids=["nothing", "a list", "an empty object", "a file that is not there"],
)
def test_a_question_that_cannot_be_read_is_refused_in_a_sentence(question: str):
    done = ask(question)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The question cannot be answered")
    assert "Traceback" not in done.stderr


def test_a_file_without_rows_and_an_unknown_metric_are_refused(tmp_path: Path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(ValueError, match="no rows"):
        rank_csv(empty, {}, ["web", "latency", "Average"], ONSET)
    with pytest.raises(ValueError, match="not one of latency, availability"):
        rank_csv(write(tmp_path / "m.csv"), {}, ["web", "colour", "Average"], ONSET)


def test_a_folder_of_incidents_is_scored(tmp_path: Path):
    write(tmp_path / "calm" / "history.csv.gz", last=PAST)
    (tmp_path / "calm" / "graph.json").write_text(json.dumps(SHOP_CALLS))
    issues = []
    for cause in ("stock", "users"):
        write(tmp_path / f"{cause}.csv.gz", first=PAST - 2, last=PAST + 3, **{cause: 0.5})
        target = ["web", "latency", "Average"]
        issues.append(
            {"id": cause, "scenario": "calm", "target": target, "start": ONSET, "truth": cause, "history": ["calm"]}
        )
    table = benchmark.score(tmp_path, issues, seed=3)
    assert table.rows[0][:4] == ["as told", "2", "1.00", "1.00"]
    assert benchmark.count_quiet(tmp_path, issues, number=6, seed=3) >= 5
