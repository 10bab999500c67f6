"""The scenarios: sixteen faults and four false alarms."""

import re

from evals.pasts import late_alert, slow_leak
from evals.scenario import Order, Scenario

SLOW = re.compile(r"latency|slow|\bms\b", re.IGNORECASE)
FAILS = re.compile(r"error|fail|5xx|exception", re.IGNORECASE)
POOL = re.compile(r"pool|connection", re.IGNORECASE)
CPU = re.compile(r"\bcpu\b", re.IGNORECASE)
MEMORY = re.compile(r"memory|\boom", re.IGNORECASE)
TRAFFIC = re.compile(r"traffic|more requests|surge|load|clients send more", re.IGNORECASE)
DOWN = re.compile(r"\bdown\b|no worker|\b503\b", re.IGNORECASE)
NOTHING = re.compile(r"nothing is wrong|healthy|false alarm|back to (?:usual|normal)|recovered", re.IGNORECASE)
BLAMES = re.compile(
    r"(?:root )?cause\W{1,6}(?:is )?`?(?:api-server|APP_VERSION|payment-svc|auth-svc|postgres)", re.IGNORECASE
)


def _release_blamed(version: str) -> re.Pattern[str]:
    return re.compile(rf"(?:cause|because)[^\n]*APP_VERSION[^\n]*{re.escape(version)}", re.IGNORECASE)


SCENARIOS = (
    Scenario(
        "pool exhausted in api-server",
        ("api-server",),
        "connection pool",
        POOL,
        settings={"DB_POOL_SIZE": "1"},
        reason="fewer idle connections",
        hides="api-server",
        healed_by=True,
    ),
    Scenario(
        "pool exhausted in payment-svc",
        ("payment-svc",),
        "connection pool",
        POOL,
        (Order("payment-svc", {"held": 10}),),
        hides="payment-svc",
    ),
    Scenario(
        "pool exhausted in auth-svc",
        ("auth-svc",),
        "connection pool",
        POOL,
        (Order("auth-svc", {"held": 5}),),
        hides="auth-svc",
    ),
    Scenario(
        "slow queries of api-server",
        ("api-server",),
        "slow statement",
        re.compile(r"quer|DB_QUERY_MS|statement", re.IGNORECASE),
        settings={"DB_QUERY_MS": "150"},
        reason="orders by date, without the index",
        hides="api-server",
    ),
    Scenario(
        "bad release of api-server",
        ("api-server",),
        "release",
        re.compile(r"2\.15\.0"),
        settings={"APP_VERSION": "2.15.0"},
        reason="release 2.15.0",
        hides="api-server",
    ),
    Scenario(
        "slow dependency of payment-svc",
        ("payment-svc",),
        "latency",
        SLOW,
        (Order("payment-svc", {"extra_ms": 900.0}),),
        hides="payment-svc",
    ),
    Scenario(
        "failures in payment-svc",
        ("payment-svc",),
        "errors",
        FAILS,
        (Order("payment-svc", {"error_share": 0.4}),),
        hides="payment-svc",
    ),
    Scenario(
        "CPU starved in auth-svc", ("auth-svc",), "CPU", CPU, (Order("auth-svc", {"cpu_ms": 14.5}),), hides="auth-svc"
    ),
    Scenario(
        "slow memory leak in payment-svc",
        ("payment-svc",),
        "memory",
        MEMORY,
        past=slow_leak,
        hides="payment-svc",
        wait=5.0,
        asked="is anything wrong with payment-svc?",
    ),
    Scenario(
        "traffic surge",
        ("api-server", "postgres"),
        "traffic",
        TRAFFIC,
        (Order(None, {"surge": 2.3}),),
        hides="api-server",
    ),
    Scenario("auth-svc is dead", ("auth-svc",), "down", DOWN, (Order("auth-svc", {"dead": True}),), hides="auth-svc"),
    Scenario(
        "slow database", ("postgres",), "latency", SLOW, (Order(None, {"database_factor": 2.2}),), hides="postgres"
    ),
    Scenario(
        "two faults at once",
        ("payment-svc", "auth-svc"),
        "latency and errors",
        SLOW,
        (Order("payment-svc", {"extra_ms": 800.0}), Order("auth-svc", {"error_share": 0.15})),
        hides="auth-svc",
    ),
    Scenario(
        "alert twelve minutes late", ("payment-svc",), "latency", SLOW, past=late_alert, hides="payment-svc", wait=5.0
    ),
    Scenario(
        "metrics of payment-svc missing",
        ("payment-svc",),
        "latency",
        SLOW,
        (
            Order(None, {"hidden": ["{payment-svc}", "container_cpu_usage_ratio"]}),
            Order("payment-svc", {"extra_ms": 900.0}),
        ),
        hides="payment-svc",
    ),
    Scenario(
        "misleading deployment",
        ("auth-svc",),
        "errors",
        FAILS,
        (Order("auth-svc", {"error_share": 0.2}),),
        settings={"APP_VERSION": "2.14.2"},
        reason="release 2.14.2: texts only",
        forbidden=_release_blamed("2.14.2"),
        hides="auth-svc",
    ),
    Scenario("healthy", (), "", NOTHING, forbidden=BLAMES, evidence=("get_service_health",)),
    Scenario(
        "noisy, but healthy",
        (),
        "",
        NOTHING,
        settings={"APP_VERSION": "2.14.1"},
        reason="release 2.14.1",
        forbidden=BLAMES,
        evidence=("get_service_health",),
    ),
    Scenario(
        "flapping alert",
        (),
        "",
        NOTHING,
        (Order("payment-svc", {"extra_ms": 700.0}, ends_after=5.0),),
        forbidden=BLAMES,
        evidence=("get_service_health",),
        wait=45.0,
    ),
    Scenario(
        "harmless deployment",
        (),
        "",
        NOTHING,
        settings={"DB_POOL_SIZE": "24"},
        reason="a little headroom",
        forbidden=BLAMES,
        evidence=("get_service_health",),
    ),
)
