"""An investigation's answer, in Markdown for a phone: a verdict and what it rests on, each statement with its ids."""

from __future__ import annotations

from .diagnosis import Diagnosis, Kind
from .evidence import (
    DEPLOYED,
    HEALTH,
    NOTABLE_RATIO,
    RANKED,
    bullets,
    cite,
    deployment_lines,
    evidence,
    health_lines,
    history_lines,
    log_lines,
    main_figures,
    percent,
    quote,
    ruled_out_lines,
    setting,
    settings_changed,
    unseen_lines,
)
from .readings import Change

WHY: dict[Kind, str] = {
    "pool": "its database connection pool is exhausted",
    "queries": "its database queries have become slow, and hold the connections",
    "release": "its new release has a defect",
}
AGREES: dict[Kind, str] = {
    "pool": "the pool is full, requests wait, and the newest change of that service cut this very pool.",
    "queries": "the time that queries take is measured, and the newest change of that service made them longer.",
    "release": "the error that its log repeats was never written before that deployment, and no resource is exhausted.",
}
KINDS: dict[Kind, str] = {
    "pool": "database connection pool exhausted",
    "queries": "slow database queries",
    "release": "bad release",
}
NO_CHANGE_MADE = "I have changed nothing: a person decides and does this."


def no_tools() -> str:
    """Answer for a session to which no tool was offered."""
    return _report(
        verdict="INCONCLUSIVE: this session has no tool that reads the services, so nothing was looked at.",
        impact="unknown.",
        confidence="none, in either direction.",
        changed="unknown.",
        step="check that the tool server of the bot runs, and ask again.",
        lines=[],
    )


def full(found: Diagnosis, proposed: Change | None = None) -> str:
    """Answer at the end of an investigation; `proposed` is the change that the same turn proposes to undo."""
    if found.verdict == "failing":
        return _failing(found, proposed)
    return {"healthy": _healthy, "inconclusive": _inconclusive}[found.verdict](found)


def because(found: Diagnosis) -> str:
    """The end of the sentence "x is failing", with the cause where there is one."""
    change, cause = found.change, found.cause
    if cause:
        done = cause.change
        changed = f"`{done.key}` changed {done.before} → {done.after} in the deployment at {done.time}"
        return f" because {WHY[cause.kind]}: {changed}."
    suspicion = f"; the likely cause is the deployment at {change.time}: {setting(change)}" if change else ""
    if found.pool_exhausted:
        return f": its database connection pool is exhausted{suspicion or ', and what I could read does not say why'}."
    if _broke_first(found):
        suspicion = suspicion or "; by the ranking it broke first, and what broke in it is not established"
    return f"{suspicion or '; the cause is not established'}."


def next_step(found: Diagnosis, proposed: Change | None = None) -> str:
    """The one thing to do next, exact where a change is known."""
    change = found.change
    if proposed:
        return (
            f"decide on the card below: set `{proposed.key}={proposed.before}` (now {proposed.after}) for "
            f"{proposed.service} and redeploy it, as one act. Until then nothing changes."
        )
    if change and change.before.startswith("("):
        return f"remove `{change.key}` from the configuration of {change.service} and redeploy it. {NO_CHANGE_MADE}"
    if change:
        return (
            f"set `{change.key}={change.before}` (now {change.after}) in the configuration of {change.service}, then "
            f"redeploy {change.service}. {NO_CHANGE_MADE}"
        )
    name = found.suspect.name if found.suspect else found.firing[0].service if found.firing else "the service"
    return f"ask the owner of {name} to look at the evidence below. {NO_CHANGE_MADE}"


def _healthy(found: Diagnosis) -> str:
    peaks = [sample for sample in found.error_history if sample.largest > NOTABLE_RATIO]
    lines = health_lines(found) + history_lines(found) + log_lines(found)
    lines += deployment_lines(found) + unseen_lines(found)
    missing = ", ".join(dict.fromkeys(tool for tool, _ in found.unseen))
    past = "".join(f" {s.labels} had an error ratio of {percent(s.largest)} at {s.at}; that is over." for s in peaks)
    past += cite(found, HEALTH, "get_alerts", *(["http_requests_total"] if peaks else []))
    return _report(
        verdict=f"NOTHING WRONG: nothing is wrong now, every service is within its thresholds and no alert fires.{past}"
        if not missing
        else f"NOTHING WRONG: nothing is wrong in what I could read (not seen: {missing}).{past}",
        impact="none that can be measured.",
        confidence="medium: not everything could be read." if missing else "high: health, alerts and metrics agree.",
        changed=settings_changed(found, found.changes),
        step="none. If users still see errors, send me the service and the time.",
        lines=lines,
    )


def _failing(found: Diagnosis, proposed: Change | None) -> str:
    suspect, change = found.suspect, found.change
    alert = f"{found.firing[0].name} fires for {found.firing[0].service}" if found.firing else ""
    word = "CAUSE FOUND" if found.cause else "INCONCLUSIVE"
    said = f"{suspect.name} is failing{because(found)}" if suspect else f"{alert}; the cause is not established."
    ranked = _broke_first(found) and not change
    sources = [HEALTH, *([DEPLOYED] if change else []), *([] if suspect else ["get_alerts"])]
    sources += [RANKED] if ranked else []
    return _report(
        verdict=f"{word}: {said}{cite(found, *sources)}",
        cause=_cause(found),
        impact=f"{_impact(found)}{cite(found, HEALTH)}",
        confidence=f"{found.confidence}: {_why_confident(found)}",
        changed=settings_changed(found, (change,)) if change else settings_changed(found, found.changes),
        step=next_step(found, proposed),
        lines=evidence(found),
        ruled_out=ruled_out_lines(found),
    )


def _broke_first(found: Diagnosis) -> bool:
    return found.suspect is not None and found.suspect.name == found.ranking.first


def _cause(found: Diagnosis) -> str:
    """Service and kind of what is established."""
    cause = found.cause
    return f"{cause.change.service}: {KINDS[cause.kind]}{cite(found, HEALTH, DEPLOYED)}" if cause else ""


def _inconclusive(found: Diagnosis) -> str:
    if found.unmeasured:
        why = f"there is NO DATA for {', '.join(found.unmeasured)}, and absent is not healthy."
    else:
        why = "the health of the services could not be read, so I do not know whether anything is wrong."
    leads = health_lines(found) + log_lines(found) + deployment_lines(found)
    problems = found.health.problem or "find out why these services report no figures"
    return _report(
        verdict=f"INCONCLUSIVE: {why}{cite(found, HEALTH, found.health.problem)}",
        impact="unknown.",
        confidence="none, in either direction. I name no cause that I could not see.",
        changed=settings_changed(found, found.changes) if found.deployments else "unknown.",
        step=f"make the monitoring readable, then ask again. It says: {quote(problems, 240)}",
        lines=leads + unseen_lines(found),
    )


def _impact(found: Diagnosis) -> str:
    if found.suspect is None:
        return "none measured: every figure is within its thresholds."
    own = f"{found.suspect.name}: {main_figures(found.suspect) or found.suspect.state}."
    others = [f"{service.name} ({main_figures(service)})" for service in found.others]
    return f"{own} Also affected: {', '.join(others)}." if others else f"{own} No other service breaches a threshold."


def _why_confident(found: Diagnosis) -> str:
    if found.cause:
        return AGREES[found.cause.kind]
    if found.pool_exhausted:
        return "the pool's exhaustion is measured, its reason is not."
    if found.change:
        return "the service changed before, but no figure ties that setting to the symptom."
    if found.ranking.clear:
        return "the ranking is clear about where it began, which is a lead; what broke there was not found."
    return "the symptom is measured, a cause is not."


def _report(
    *,
    verdict: str,
    impact: str,
    confidence: str,
    changed: str,
    step: str,
    lines: list[str],
    cause: str = "",
    ruled_out: list[str] | None = None,
) -> str:
    parts = [
        f"**Verdict:** {verdict}",
        *([f"**Cause:** {cause}"] if cause else []),
        f"**Impact:** {impact}",
        f"**Confidence:** {confidence}",
        f"**What changed:** {changed}",
        f"**Next step:** {step}",
    ]
    if lines:
        parts.append(f"**Evidence**\n{bullets(lines)}")
    if ruled_out:
        parts.append(f"**Ruled out**\n{bullets(ruled_out)}")
    return "\n\n".join(parts)
