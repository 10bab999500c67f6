"""What runs in containers, as far as that can be shown without an engine: the files fit each other and the code."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from sre_bot.catalog import load_catalog
from sre_bot.settings import ROOT

CONFIG = ROOT / "config"
COMPOSE = CONFIG / "docker-compose.yml"
DOCKERFILE = CONFIG / "Dockerfile"


def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
@pytest.mark.parametrize("profile", [[], ["--profile", "bot"]], ids=["fleet", "bot"])
def test_compose_takes_the_file(profile: list[str]):
    command = ["docker-compose", "-f", str(COMPOSE), *profile, "config", "--services"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = {name for name, service in services().items() if profile or "profiles" not in service}
    assert expected <= set(done.stdout.split())


def test_everything_that_is_mounted_is_in_the_checkout_or_said_to_be_made():
    made_by_the_user = {"../.env"}
    for service in services().values():
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            if source.startswith(".") and source not in made_by_the_user:
                assert (CONFIG / source).exists(), source


def test_nothing_is_published_to_other_machines():
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) >= 4
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_image_is_pinned():
    images = [service["image"] for service in services().values() if "image" in service]
    images += re.findall(r"^FROM (\S+:\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(images) >= 5
    assert [image for image in images if not re.search(r":v?\d", image)] == []


def test_the_images_are_built_from_what_is_there():
    stages = re.split(r"^FROM .* AS (\w+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    names = stages[1::2]
    assert {service["build"]["target"] for service in services().values() if "build" in service} <= set(names)
    copied = [
        word for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE) for word in line.split()
    ]
    assert "sre_bot" in copied
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_bot_gets_no_docker_socket():
    assert "docker.sock" not in json.dumps(services())


def test_prometheus_runs_the_shipped_configuration_by_the_names_of_containers():
    shipped = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    ours = yaml.safe_load((CONFIG / "prometheus.compose.yml").read_text())
    assert ours.pop("alerting") == {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]}
    assert ours["scrape_configs"][0].pop("static_configs") == [{"targets": ["api-server:8000"]}]
    assert shipped["scrape_configs"][0].pop("static_configs") == [{"targets": ["localhost:8000"]}]
    assert ours == shipped


def test_the_dashboard_shows_every_signal_of_the_catalog_as_it_is_judged():
    dashboard = json.loads((CONFIG / "grafana" / "dashboards" / "services.json").read_text())
    signals = load_catalog(CONFIG).signals
    panels = {panel["title"]: panel for panel in dashboard["panels"]}
    assert set(panels) == {signal.title for signal in signals.values()}
    for signal in signals.values():
        panel = panels[signal.title]
        assert panel["targets"][0]["expr"].split() == signal.query.split()
        steps = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]][1:]
        assert steps == [bound for bound in (signal.warning, signal.critical) if bound is not None]
