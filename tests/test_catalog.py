"""services.yaml: what the shipped one says, and what a wrong one is told."""

from pathlib import Path

import pytest

from sre_bot.catalog import Catalog, Setting, Severity, editor_schema, load_catalog
from sre_bot.errors import BadRequest, CatalogError
from sre_bot.settings import ROOT

GOOD = """\
services:
  shop:
    purpose: Sells
    owner: Shop team
    escalation: "#shop"
    depends_on: [db]
  db:
    purpose: Stores
    owner: DB team
    escalation: "#db"
    unmeasured: [errors]
signals:
  errors:
    title: Errors
    unit: ratio
    warning: 0.01
    critical: 0.05
    query: errors
"""


def load(folder: Path, text: str | bytes) -> Catalog:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "services.yaml").write_bytes(data)
    return load_catalog(folder)


def refusal(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder), "").splitlines()


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog(ROOT / "config")


def test_the_shipped_catalog_has_the_topology_that_was_commissioned(shipped: Catalog) -> None:
    assert {name: set(service.depends_on) for name, service in shipped.services.items()} == {
        "api-server": {"postgres", "payment-svc", "auth-svc"},
        "payment-svc": {"postgres", "auth-svc"},
        "auth-svc": {"postgres"},
        "postgres": set(),
    }
    assert {name: s.db_pool.size for name, s in shipped.services.items() if s.db_pool} == {
        "api-server": 100,
        "payment-svc": 50,
        "auth-svc": 25,
    }
    assert shipped.service("postgres").max_connections == 100
    assert shipped.callers("auth-svc") == ("api-server", "payment-svc")
    assert [s.escalation for s in shipped.services.values()] == [
        "#platform-oncall",
        "#payments-oncall",
        "#identity-oncall",
        "#dba-oncall",
    ]


def test_the_shipped_thresholds_are_those_that_were_commissioned(shipped: Catalog) -> None:
    assert {name: (s.warning, s.critical) for name, s in shipped.signals.items() if s.critical} == {
        "error_rate": (0.01, 0.05),
        "latency_p99": (500, 2000),
        "db_connections": (0.7, 0.9),
        "cpu": (0.7, 0.9),
        "memory": (0.8, 0.95),
    }


@pytest.mark.parametrize(
    ("signal", "value", "expected"),
    [
        ("error_rate", 0.0, Severity.OK),
        ("error_rate", 0.01, Severity.OK),
        ("error_rate", 0.011, Severity.WARNING),
        ("error_rate", 0.05, Severity.WARNING),
        ("error_rate", 0.051, Severity.CRITICAL),
        ("error_rate", None, Severity.NO_DATA),
        ("error_rate", float("nan"), Severity.NO_DATA),
        ("latency_p99", float("inf"), Severity.CRITICAL),
        ("up", 1.0, Severity.OK),
        ("up", 0.0, Severity.CRITICAL),
        ("up", None, Severity.NO_DATA),
        ("requests", None, Severity.NO_DATA),
        ("requests", 0.0, Severity.OK),
        ("restarts", None, Severity.OK),
        ("restarts", 99.0, Severity.OK),
    ],
)
def test_a_figure_is_judged_strictly_beyond_its_threshold_and_its_absence_is_not_health(
    shipped: Catalog, signal: str, value: float | None, expected: Severity
) -> None:
    assert shipped.signals[signal].judge(value) is expected


def test_an_unknown_service_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"No service 'shopp' in the catalog. Services: shop, db\."):
        load(tmp_path, GOOD).service("shopp")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("    depends_on: [db]", "    depend_on: [db]", "/services.yaml:6: services.shop.depend_on: Extra inputs"),
        ("[db]", "[db, cache]", "/services.yaml:6: services.shop.depends_on.1: there is no service 'cache'"),
        ("[errors]", "[erors]", "/services.yaml:11: services.db.unmeasured.0: there is no signal 'erors'"),
        ("    owner: Shop team\n", "", "/services.yaml:3: services.shop.owner: Field required"),
        ('"#shop"', "shop", "/services.yaml:5: services.shop.escalation: String should match pattern"),
        ("critical: 0.05", "critical: 0.01", "/services.yaml:14: signals.errors: warning must be below critical"),
        ("    critical: 0.05\n", "", "/services.yaml:14: signals.errors: warning and critical belong together"),
        ("unit: ratio", "unit: percent", "/services.yaml:15: signals.errors.unit: Input should be 'ratio'"),
        ("warning: 0.01", "warning: low", "/services.yaml:16: signals.errors.warning: Input should be a valid number"),
        ("signals:\n", "signal:\n", "/services.yaml:1: signals: Field required"),
        ("  db:\n", "  shop:\n", "/services.yaml:7: services.shop: is there twice, first on line 2"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in GOOD
    assert any(line.startswith(expected) for line in refusal(tmp_path, GOOD.replace(before, after)))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    wrong = GOOD.replace("purpose: Sells", "purpose: 3").replace("unit: ratio", "unit: percent")
    assert [line.split(":")[1] for line in refusal(tmp_path, wrong)] == ["3", "15"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{type: integer, minimum: 1, purpose: x}", "minimum and maximum belong to integer and number, both"),
        ("{type: integer, purpose: x}", "minimum and maximum belong to integer and number, both"),
        ("{type: integer, minimum: 5, maximum: 1, purpose: x}", "minimum must not be above maximum"),
        ("{type: text, purpose: x}", "a text, and nothing else, has values or a pattern"),
        ("{type: text, pattern: '(', purpose: x}", "pattern is no regular expression"),
        ("{type: secret, values: [a], purpose: x}", "a text, and nothing else, has values or a pattern"),
        ("{type: integer, minimum: 1, maximum: 2}", "purpose: Field required"),
        ("{type: float, purpose: x}", "type: Input should be 'integer', 'number', 'text' or 'secret'"),
    ],
)
def test_a_setting_without_bounds_is_refused_with_its_line(tmp_path: Path, config: str, expected: str) -> None:
    described = f"    env_file: shop.env\n    config:\n      POOL: {config}\n  db:\n"
    (line,) = refusal(tmp_path, GOOD.replace("  db:\n", described))
    assert line.startswith("/services.yaml:9: services.shop.config.POOL")
    assert expected in line


@pytest.mark.parametrize("name", ["../x.env", "/etc/passwd", "..", ".env", "a b.env", "-rf", ""])
def test_an_env_file_is_the_plain_name_of_a_file(tmp_path: Path, name: str) -> None:
    (line,) = refusal(tmp_path, GOOD.replace("  db:\n", f"    env_file: '{name}'\n  db:\n"))
    assert line.startswith("/services.yaml:7: services.shop.env_file: String should match pattern")


def test_settings_without_a_file_to_be_in_are_refused(tmp_path: Path) -> None:
    config = "    config: {A: {type: secret, purpose: x}}\n  db:\n"
    assert (
        "config describes keys of an env_file, and there is none"
        in refusal(tmp_path, GOOD.replace("  db:\n", config))[0]
    )


@pytest.mark.parametrize(
    ("setting", "accepted", "refused"),
    [
        ({"type": "integer", "minimum": -5, "maximum": 200}, ["1", "200", "-5", "0"], ["201", "-6", "01", "1.0", ""]),
        ({"type": "number", "minimum": 0.1, "maximum": 60}, ["0.1", "60", "2.50"], ["0", "60.1", "1e1", "nan", ".5"]),
        ({"type": "text", "values": ("fast", "slow")}, ["fast"], ["fas", "fastslow", "fast "]),
        ({"type": "text", "pattern": ".*"}, ["v1.2-rc+3", "a/b:c@d"], ["", "a b", "a$b", "a\n", "é", "x" * 201]),
        ({"type": "secret"}, [], ["x"]),
    ],
)
def test_a_value_is_allowed_within_its_bounds_and_never_with_what_a_shell_reads(
    setting: dict[str, object], accepted: list[str], refused: list[str]
) -> None:
    known = Setting.model_validate({"purpose": "x", **setting})
    assert [value for value in accepted + refused if known.accepts(value)] == accepted


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    kept = (ROOT / "config" / "services.schema.json").read_text()
    assert kept == editor_schema(), "python -m sre_bot.catalog > config/services.schema.json"
    assert (
        (ROOT / "config" / "services.yaml")
        .read_text()
        .startswith("# yaml-language-server: $schema=services.schema.json")
    )


@pytest.mark.parametrize("text", ["services: [", "a: b: c", b"\xff\xfe\x00", "", "just text", "[]"])
def test_a_file_that_is_no_catalog_at_all_is_refused_by_name(tmp_path: Path, text: str | bytes) -> None:
    assert refusal(tmp_path, text)[0].startswith("/services.yaml:")


def test_an_absent_file_says_which_setting_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="SRE_CONFIG_DIR"):
        load_catalog(tmp_path)
