"""Answers to what is asked after an investigation: how it is now, or what was read then."""

from __future__ import annotations

import re

from .answers import because, full, next_step
from .diagnosis import Diagnosis
from .evidence import HEALTH, WORDS, alert_lines, bullets, cite, evidence, health_lines, pool_lines, settings_changed

SOURCE = "_From what I read earlier in this thread; ask “is it still happening?” for a new reading._"


def compared(now: Diagnosis, before: Diagnosis, *, changed: bool) -> str:
    """Answer after looking again: what was read then, what is read now; `changed`: whether a change was carried out."""
    watched = before.suspect or now.suspect
    if watched is None:
        verdict = "NOTHING WRONG: nothing is wrong now, every service is within its thresholds and no alert fires."
        return f"**Verdict:** {verdict}\n\n**Evidence**\n{bullets(health_lines(now))}"
    current = now.health.named(watched.name)
    if now.suspect:
        verdict = f"{watched.name} is still failing."
        step = next_step(before) if before.change else "keep to the next step given above."
        if changed:
            step = "what was changed has not helped so far; say “fix it”, and I look into everything anew."
    else:
        verdict = f"{watched.name} is back within its thresholds."
        step = "watch it for ten more minutes before you call it resolved."
    both = cite(before, HEALTH) + cite(now, HEALTH)
    then, current_figures = watched.figures, current.figures if current else {}
    lines = [
        f"{WORDS[signal]}: {then[signal]} before, {current_figures.get(signal, 'NO DATA')} now{both}"
        for signal in (*watched.breached, "db_waiting")
        if signal in WORDS and signal in then
    ]
    return f"**Verdict:** {verdict}\n\n**Next step:** {step}\n\n**Evidence**\n{bullets([*lines, *alert_lines(now)])}"


def recall(known: Diagnosis, question: str) -> str:
    """Answer a short question from what was read earlier, and say so."""
    for words, answer in _RECALLED:
        if re.search(words, question, re.IGNORECASE):
            return f"{answer(known)}\n\n{SOURCE}"
    return full(known)


def _say_errors(known: Diagnosis) -> str:
    return _say_signal(known, "error_rate")


def _say_latency(known: Diagnosis) -> str:
    return _say_signal(known, "latency_p99")


def _say_signal(known: Diagnosis, signal: str) -> str:
    """One line per service that has this signal; a service without requests has no error rate."""
    shown = (service for service in known.health.services if signal in service.figures)
    return bullets(
        [f"{service.name}: {WORDS[signal]} {service.figures[signal]}{cite(known, HEALTH)}" for service in shown]
    )


def _say_pool(known: Diagnosis) -> str:
    return bullets(pool_lines(known)) or _say_signal(known, "db_connections")


def _say_changes(known: Diagnosis) -> str:
    return f"**What changed:** {settings_changed(known, known.changes)}"


def _say_step(known: Diagnosis) -> str:
    return f"**Next step:** {next_step(known)}" if known.verdict == "failing" else "**Next step:** none."


def _say_why(known: Diagnosis) -> str:
    if known.suspect is None:
        return full(known)
    return f"{known.suspect.name} is failing{because(known)}\n\n**Evidence**\n{bullets(evidence(known))}"


_RECALLED = (
    (r"error (?:rate|ratio)|how many errors|errors\?", _say_errors),
    (r"latency|p99|slow", _say_latency),
    (r"pool|connection|waiting", _say_pool),
    (r"chang|deploy", _say_changes),
    (r"next|fix|do\b|should", _say_step),
    (r"why|cause|evidence|sure|confiden|how do you know|explain", _say_why),
)
