"""What a chart shows is asserted on its plan; that it is a picture for a phone, on its bytes."""

import asyncio
import io
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PIL import Image

from sre_bot.catalog import Catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.prometheus import Series
from sre_bot.errors import Unreachable
from sre_bot.settings import ROOT
from sre_bot.tools.chart import DRAWN_SERIES, Chart, plan_chart
from sre_bot.tools.charts import LARGEST_IMAGE, Charts
from sre_bot.tools.deploy_markers import SHOWN_MARKERS, mark_deployments
from sre_bot.tools.drawing import WIDTH, draw
from sre_bot.tools.series import Window
from sre_bot.tools.spec import Answer, Tool, specs_of
from tests.tools.conftest import FakeDeployments, FakeMetrics

NOW = 1_795_621_200.0
WINDOW = Window(NOW - 3600, NOW, 15)
Course = Callable[[float], float]


def series(service: str, course: Course | Sequence[float], **labels: str) -> Series:
    """A series over WINDOW: of a function of its position from 0 to 1, or of values, NaN meaning no sample."""
    last = WINDOW.points - 1
    values = [course(n / last) for n in range(last + 1)] if callable(course) else course
    points = [(WINDOW.start + n * WINDOW.step, value) for n, value in enumerate(values) if not math.isnan(value)]
    return Series({"service": service, **labels}, points)


def deployment(minutes_ago: float, service: str = "api-server", **changes: tuple[str, str]) -> Deployment:
    return Deployment("1", NOW - 60 * minutes_ago, service, "2.14.1", "ada", "", changes)


def planned(catalog: Catalog, name: str, *found: Series, deployed: Sequence[Deployment] = ()) -> Chart:
    signal = catalog.signals[name]
    chart = plan_chart(signal.title, found, WINDOW, signal.unit, signal, deployed)
    assert chart
    return chart


def picture(data: bytes) -> tuple[str | None, int, int]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, *image.size


async def plot(tool: Tool, query: str = "error_rate", **arguments: Any) -> Answer:
    answer = await tool.call({"query": query, **arguments})
    assert len(answer.text) <= 4_000
    return answer


def tool(catalog: Catalog, *found: Series, deployments: Any = None, **answers: Any) -> Tool:
    (spec,) = specs_of(Charts)
    return Tool(spec, Charts(catalog, FakeMetrics(answers or {"": list(found)}), deployments))


def recent(course: Course = lambda place: place, service: str = "api-server") -> Series:
    """The last hour as the tool asks for it, in steps of 15 s until now."""
    now = time.time()
    return Series({"service": service}, [(now - 3600 + 15 * n, course(n / 240)) for n in range(241)])


def test_a_signal_brings_its_unit_and_its_thresholds(catalog):
    chart = planned(catalog, "error_rate", series("api-server", lambda place: 0.5 * place))
    assert chart.scale.unit == " %"
    assert [(limit.name, limit.value) for limit in chart.limits] == [("warning", 1.0), ("critical", 5.0)]
    assert chart.curves[0].largest == 50.0
    assert (chart.low, chart.high > 50) == (0.0, True)


def test_thresholds_that_would_flatten_the_curves_are_named_and_not_drawn(catalog):
    chart = planned(catalog, "latency_p99", series("api-server", lambda place: 40 + place))
    assert [limit.name for limit in chart.limits] == ["warning"], "how far a healthy service is from it can be seen"
    assert [(limit.name, limit.value) for limit in chart.beyond] == [("critical", 2000)]


def test_a_threshold_from_below_is_drawn_too(catalog):
    chart = planned(catalog, "up", series("api-server", lambda place: float(place < 0.5)))
    assert [(limit.name, limit.value, limit.critical) for limit in chart.limits] == [("critical below", 1, True)]


def test_what_has_no_data_is_a_gap_and_never_zero(catalog):
    values = [1.0] * WINDOW.points
    values[40:60] = [math.nan] * 20
    values[-4:] = [math.nan] * 4
    chart = planned(catalog, "requests", series("api-server", values))
    (curve,) = chart.curves
    assert [math.isnan(value) for value in curve.values] == [math.isnan(value) for value in values]
    assert chart.has_gaps
    assert (curve.smallest, curve.last) == (1.0, None)
    assert curve.seen == WINDOW.start + (WINDOW.points - 5) * WINDOW.step


def test_series_beyond_eight_are_left_out_and_an_empty_one_takes_no_place_in_words(catalog):
    found = [series(f"svc-{n}", [float(20 - n)] * WINDOW.points) for n in range(12)]
    chart = planned(catalog, "requests", *found)
    assert [curve.name for curve in chart.curves] == [f"svc-{n}" for n in range(DRAWN_SERIES)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nothing_that_can_be_drawn_is_no_chart(value):
    assert plan_chart("x", [Series({}, [(NOW, value)])], WINDOW, None) is None


def test_infinite_values_are_left_out_and_counted(catalog):
    values = [2.0] * WINDOW.points
    values[7] = math.inf
    (curve,) = planned(catalog, "requests", series("api-server", values)).curves
    assert (curve.largest, curve.infinite, math.isnan(curve.values[7])) == (2.0, 1, True)


def test_an_axis_leaves_zero_only_where_nothing_would_be_seen_otherwise():
    def axis(*values: float) -> Chart:
        chart = plan_chart("x", [Series({}, [(NOW - n, value) for n, value in enumerate(values)])], WINDOW, None)
        assert chart
        return chart

    assert axis(1000, 1001).low > 900
    assert axis(1000, 1000).low == 0
    assert axis(500, 1000).low == 0
    assert axis(-5, 5).low < -5
    assert axis(0, 0).high == 1
    assert axis(-3, -3).high == 0


def test_deployments_in_the_window_are_marked_with_what_they_changed():
    found = [deployment(90), deployment(20, DB_POOL_SIZE=("20", "1")), deployment(40, "auth-svc")]
    markers = mark_deployments(found, WINDOW)
    assert [(marker.sign, marker.text) for marker in markers] == [
        ("A", "auth-svc 2.14.1"),
        ("B", "api-server 2.14.1: DB_POOL_SIZE 20 → 1"),
    ]
    assert markers[1].time == NOW - 20 * 60


def test_deployments_at_one_time_share_a_mark_that_begins_with_the_changed_setting():
    (marker,) = mark_deployments([deployment(10, "postgres"), deployment(9.9, DB_POOL_SIZE=("20", "1"))], WINDOW)
    assert marker.text == "api-server 2.14.1: DB_POOL_SIZE 20 → 1; postgres 2.14.1"


def test_of_many_deployments_the_newest_are_marked_and_secrets_are_not_shown():
    many = [deployment(55 - 5 * n, API_TOKEN=("hunter2", f"hunter3-{n}")) for n in range(10)]
    markers = mark_deployments(many, WINDOW)
    assert len(markers) == SHOWN_MARKERS
    assert markers[-1].time == many[-1].time
    assert "hunter" not in str(markers)


async def test_the_answer_is_a_picture_and_the_same_in_words(catalog):
    changed = deployment(0, DB_POOL_SIZE=("20", "1"))
    deployed = FakeDeployments([Deployment(**{**_fields(changed), "time": time.time() - 600})])
    found = [recent(lambda place: 0.46 * place), recent(lambda _: 0.0, "auth-svc")]
    answer = await plot(tool(catalog, *found, deployments=deployed))
    assert picture(answer.image)[:2] == ("PNG", WIDTH)
    lines = answer.text.splitlines()
    assert lines[0].startswith("Error rate (5xx), ")
    assert lines[0].endswith(", step 15 s")
    assert lines[1:4] == [
        "api-server min 0 % mean 23 % max 46 % last 46 %",
        "auth-svc 0 % throughout",
        "thresholds: warning 1 %, critical 5 %",
    ]
    assert lines[4].endswith("Z api-server 2.14.1: DB_POOL_SIZE 20 → 1")


def _fields(entry: Deployment) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Deployment.__slots__}


async def test_the_promql_of_a_signal_has_its_thresholds_and_other_promql_has_the_units_of_its_name(catalog):
    spread = "  ".join(catalog.signals["error_rate"].query.split(" "))
    assert "thresholds: warning 1 %" in (await plot(tool(catalog, recent()), spread)).text
    other = await plot(tool(catalog, recent()), "max(request_duration_seconds)", title="How long")
    assert "thresholds" not in other.text
    assert other.text.startswith("How long, ")
    assert "max 1 s last 1 s" in other.text


async def test_no_data_is_said_in_words_and_nothing_is_drawn(catalog):
    answer = await plot(tool(catalog), "error_rates")
    assert answer.text.startswith("NO DATA: error_rates matched no series from ")
    assert "Signals: error_rate, latency_p99" in answer.text
    only_nan = await plot(tool(catalog, recent(lambda _: math.nan)), "load")
    assert only_nan.text.startswith("NO DATA: the largest 8 of 1 series hold only NaN")
    assert not answer.is_error
    assert (answer.image, only_nan.image) == (b"", b"")


async def test_a_point_alone_is_a_picture(catalog):
    answer = await plot(tool(catalog, Series({}, [(time.time() - 1800, 3.0)])), "load")
    assert picture(answer.image)[1] == WIDTH
    assert "NO DATA since" in answer.text


async def test_deployments_that_cannot_be_read_cost_the_marks_only(catalog):
    class Broken:
        async def recent(self, service: str | None, since: float, limit: int) -> Sequence[Deployment]:
            raise Unreachable("UNREACHABLE: the deployment source did not answer.")

    answer = await plot(tool(catalog, recent(), deployments=Broken()))
    assert answer.image
    assert "deployments are not marked: UNREACHABLE" in answer.text


async def test_what_labels_and_titles_hold_is_text_and_no_formula(catalog):
    found = Series({"path": r"$\frac{1}{0}$ \n <b> $$$ 漢字 🚨 \u202e"}, recent().points)
    answer = await plot(tool(catalog, found), "load", title=r"$\sqrt{$ _^ $x$")
    assert answer.image, answer.text


async def test_other_reads_go_on_while_a_chart_is_drawn(catalog):
    drawing = asyncio.create_task(plot(tool(catalog, recent())))
    turns = 0
    while not drawing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert (await drawing).image
    assert turns > 3, "a drawing that held the loop would let it turn once or twice"


def test_a_picture_of_nothing_but_noise_stays_small():
    noise = random.Random(1)
    found = [series(f"svc-{n}", lambda _: noise.random(), path="/a/long/path" * 5) for n in range(DRAWN_SERIES)]
    chart = plan_chart("x" * 300, found, WINDOW, "ms", None, [deployment(50 - 10 * n) for n in range(5)])
    assert chart
    data = draw(chart)
    assert len(data) < LARGEST_IMAGE
    assert picture(data)[2] < 1_400


def test_an_ordinary_picture_has_at_most_60_kb_and_the_shape_of_a_phone_held_sideways(catalog):
    found = [series(name, lambda place: 0.3 * place + 0.02 * math.sin(99 * place)) for name in catalog.services]
    data = draw(planned(catalog, "db_connections", *found, deployed=[deployment(20, DB_POOL_SIZE=("20", "1"))]))
    assert len(data) <= 60_000
    assert 700 <= picture(data)[2] <= 900


def test_matplotlib_is_not_imported_before_the_first_drawing():
    code = (
        "import sys, sre_bot.tools.server, sre_bot.tools.offer; sre_bot.tools.offer.describe_tools(); "
        "print([name for name in ('matplotlib', 'numpy', 'PIL') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "[]"
