"""The manifests of deploy/kubernetes: valid, and right where a schema cannot tell. No cluster runs here."""

import copy
import re
import shutil
import tomllib
from urllib.parse import urlsplit

import pytest
import yaml

import kustomized
from chargepoint.settings import Settings as ChargePointSettings
from chargepoint.settings import find_places
from charger.settings import Settings as ChargerSettings
from chassis.settings import SettingsError, all_names, read
from console.settings import Settings as ConsoleSettings
from contracts.replicas import address_for
from contracts.topics import PARTITIONS
from csms.settings import Settings as CsmsSettings
from kubernetes_parts import (
    NAME,
    OVERLAYS,
    ROOT,
    Manifests,
    complaints,
    passages,
    rendered_by_kubectl,
    selects,
)
from lab.settings import Settings as LabSettings
from memorybank.settings import Settings as MemoryBankSettings

SETTINGS = {
    "charger": ChargerSettings,
    "chargepoint": ChargePointSettings,
    "console": ConsoleSettings,
    "csms": CsmsSettings,
    "lab": LabSettings,
    "memorybank": MemoryBankSettings,
}
OLDEST, NEWEST = "1.31", "1.37"
"""From the first with ordinals that start at 1 to the newest whose schemas are there."""
WITHOUT_SCHEMA = {"postgresql.cnpg.io/v1"}
"""The operator's own, which no package index has."""

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
BETWEEN = {
    ("chargepoint", "csms", 9000),
    ("chargepoint", "mosquitto", 1883),
    ("csms", "mosquitto", 1883),
    ("memorybank", "mosquitto", 1883),
    ("console", "mosquitto", 1883),
    ("console", "csms", 9001),
    ("csms", "csms", 9001),
    ("console", "memorybank", 9002),
}
DATABASE = {("memorybank", "postgres", 5432), ("grafana", "postgres", 5432)}


@pytest.fixture(params=OVERLAYS)
def manifests(request):
    return Manifests(request.param)


def _kind_and_name(document):
    return document["kind"], document["metadata"]["name"]


def ours(manifests):
    """Every container of ours with its workload."""
    return [
        (workload, container)
        for workload in manifests.workloads
        for container in workload.containers
        if container["name"] in SETTINGS
    ]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_document_is_valid(manifests, version):
    known = [one for one in manifests.documents if one["apiVersion"] not in WITHOUT_SCHEMA]
    assert len(known) > 40
    assert [told for document in known for told in complaints(document, version)] == []
    assert {one["metadata"].get("namespace", "") for one in manifests.documents} == {"", "chargebench"}


if shutil.which("kubectl"):  # else there is nothing to compare with, and all other tests hold all the same

    def test_kustomize_makes_the_same_of_them(manifests):
        by_kubectl = rendered_by_kubectl(manifests.overlay)
        assert sorted(by_kubectl, key=_kind_and_name) == sorted(manifests.documents, key=_kind_and_name)


def test_a_field_that_is_not_rendered_here_is_refused(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("namePrefix: other-\n")
    with pytest.raises(ValueError, match="namePrefix is not rendered here"):
        kustomized.rendered(tmp_path)


def test_a_misspelt_field_is_refused():
    """Else the test above could not fail."""
    wrong = copy.deepcopy(Manifests("development").named("StatefulSet")["csms"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    assert len(complaints(wrong, NEWEST)) == 1


def test_each_service_is_started_with_settings_that_it_takes(manifests):
    """Read by the service's own code, for the first and the last pod; and no name that it does not know."""
    containers = ours(manifests)
    assert {container["name"] for _, container in containers} == set(SETTINGS)
    for workload, container in containers:
        kind = SETTINGS[container["name"]]
        for index in (workload.indices[0], workload.indices[-1]):
            environ = manifests.environment(container, index)
            read(kind, environ)
            used = set(re.findall(r"\$\((\w+)\)", str(container["env"])))
            unknown = set(environ) - all_names(kind) - used - {"LOG_LEVEL", "ALIVE_FILE"}
            assert unknown == set(), f"{workload.name}: {container['name']}"


def test_what_other_pods_can_reach_demands_its_password(manifests):
    for workload, container in ours(manifests):
        environ = manifests.environment(container, workload.indices[0])
        for password in {"HTTP_PASSWORD", "OCPP_PASSWORD"} & all_names(SETTINGS[container["name"]]):
            without = {name: value for name, value in environ.items() if name != password}
            with pytest.raises(SettingsError, match=password):
                read(SETTINGS[container["name"]], without)


def test_the_csms_replicas_know_how_many_they_are(manifests):
    csms = manifests.workload("csms")
    settings = [
        read(CsmsSettings, manifests.environment(csms.container("csms"), index)) for index in csms.indices
    ]
    assert [one.replica for one in settings] == list(range(csms.replicas))
    assert {one.replicas for one in settings} == {csms.replicas}


def charge_points(manifests):
    """Every pod of charge points: what its charge point process, its charger and its injector read."""
    pod = manifests.workload("chargepoint")
    kinds = (ChargePointSettings, ChargerSettings, LabSettings)
    return [
        [
            read(kind, manifests.environment(pod.container(name), index))
            for kind, name in zip(kinds, ("chargepoint", "charger", "lab"), strict=True)
        ]
        for index in pod.indices
    ]


def test_a_charge_point_goes_to_the_pod_that_holds_it(manifests):
    """Those of one pod to several: each identity's own, by the ordinals of the CSMSs."""
    csms = manifests.workload("csms")
    pods = {f"csms-{index}.{csms.spec['serviceName']}" for index in csms.indices}
    found = set()
    for settings, _, lab in charge_points(manifests):
        for place in find_places(settings):
            address = urlsplit(settings.csms_of(place.charge_point_id))
            assert address.port in manifests.ports_of("csms")
            found.add(address.hostname)
            assert address_for(lab.csms_url, place.charge_point_id, lab.csms_replicas) == address.geturl()
    assert found == pods


def test_each_charge_point_is_in_one_pod(manifests):
    """Numbered on from pod to pod, CP-1 in the first; the injector beside them has the same."""
    found = []
    for settings, _, lab in charge_points(manifests):
        own = [place.charge_point_id for place in find_places(settings)]
        assert lab.charge_point_ids == set(own)
        found += own
    many = manifests.workload("chargepoint").replicas * (250 if manifests.overlay == "production" else 1)
    assert found == [f"CP-{number}" for number in range(1, many + 1)]


def test_the_charger_of_a_pod_has_room_for_all_its_buses(manifests):
    for settings, charger, lab in charge_points(manifests):
        buses = [bus for place in find_places(settings) for bus in place.buses]
        assert len(set(buses)) == len(buses) <= charger.capacity
        assert charger.backplane_port == settings.backplane_port == lab.backplane_port
        assert settings.backplane_port not in buses


def test_the_memorybanks_share_every_partition(manifests):
    memorybank = manifests.workload("memorybank")
    taken = [
        partition
        for index in memorybank.indices
        for partition in read(
            MemoryBankSettings, manifests.environment(memorybank.container("memorybank"), index)
        ).share.partitions
    ]
    assert sorted(taken) == list(range(PARTITIONS))


def test_every_host_that_is_named_is_a_service_with_that_port(manifests):
    clusters = {f"{name}-rw": {5432} for name in manifests.named("Cluster")}

    def demand(host, port):
        name = host.split(".")[-1]  # a pod's name stands before its headless service's
        ports = clusters.get(name) or manifests.ports_of(name)
        assert port in ports, f"{host}:{port}"

    for workload, container in ours(manifests):
        environ = manifests.environment(container, workload.indices[0])
        if "MQTT_HOST" in environ:
            demand(environ["MQTT_HOST"], int(environ.get("MQTT_PORT", "1883")))
        for value in environ.values():
            url = urlsplit(value)
            if url.hostname:
                demand(url.hostname, url.port or 5432)
    grafana = manifests.workload("grafana")
    host, port = manifests.environment(grafana.containers[0])["GRAFANA_POSTGRES_HOST"].split(":")
    demand(host, int(port))


def test_selectors_select(manifests):
    """Services, budgets, workloads and policies find pods; named ports are there."""
    pods = [workload.labels for workload in manifests.workloads]
    for workload in manifests.workloads:
        if workload.kind != "Job":
            assert selects(workload.spec["selector"], workload.labels)
        if workload.kind == "StatefulSet":
            headless = manifests.named("Service")[workload.spec["serviceName"]]["spec"]
            assert selects({"matchLabels": headless["selector"]}, workload.labels)
    for name, service in manifests.named("Service").items():
        (chosen,) = [
            one for one in manifests.workloads if service["spec"]["selector"][NAME] == one.labels[NAME]
        ]
        ports = {port["name"]: port["containerPort"] for one in chosen.containers for port in one["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"], name
    for budget in manifests.of_kind("PodDisruptionBudget"):
        assert any(selects(budget["spec"]["selector"], labels) for labels in pods)
    by_operator = [{NAME: name, "cnpg.io/cluster": name} for name in manifests.named("Cluster")]
    for policy in manifests.of_kind("NetworkPolicy"):
        assert any(selects(policy["spec"]["podSelector"], labels) for labels in pods + by_operator)


def test_whatever_has_replicas_has_a_disruption_budget(manifests):
    budgets = [budget["spec"]["selector"] for budget in manifests.of_kind("PodDisruptionBudget")]
    several = [workload for workload in manifests.workloads if workload.replicas > 1]
    assert {workload.name for workload in several} == {"csms", "memorybank", "chargepoint"}
    for workload in several:
        assert any(selects(selector, workload.labels) for selector in budgets), workload.name


def test_only_who_must_talk_can(manifests):
    """As on the networks of docker-compose.yml; a charge point's containers share one pod."""
    expected = BETWEEN | (DATABASE if manifests.overlay == "development" else set())
    assert set(passages(manifests)) == expected


def test_pods_have_no_rights(manifests):
    for workload in manifests.workloads:
        pod = workload.pod
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, workload.name
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))
        for container in workload.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, container["name"]


def test_containers_have_bounds_and_probes(manifests):
    for workload in manifests.workloads:
        for container in workload.containers:
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}
            assert "memory" in resources["limits"]
            if workload.kind == "Job":
                continue
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                match container[probe]:
                    case {"httpGet": {"path": path, "port": port}}:
                        assert path == ("/api/health" if container["name"] == "grafana" else "/healthz")
                        assert port in ports
                    case {"tcpSocket": {"port": port}}:
                        assert port in ports
                    case {"exec": {"command": command}}:
                        assert command


def test_who_is_slow_to_answer_is_not_restarted(manifests):
    """A MemoryBank without its database, whose /healthz says 503; charge points that all reconnect at once.

    So only readiness may ask for it: a restart would help neither.
    """
    for workload, name in (
        ("memorybank", "memorybank"),
        ("chargepoint", "chargepoint"),
        ("chargepoint", "charger"),
    ):
        container = manifests.workload(workload).container(name)
        alive = manifests.environment(container, 1)["ALIVE_FILE"]
        command = container["livenessProbe"]["exec"]["command"]
        assert f"find {alive} " in command[-1], name
        folder = alive.rpartition("/")[0]
        assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert "httpGet" not in manifests.workload("memorybank").container("memorybank")["startupProbe"]


def test_processes_of_one_pod_are_alive_by_files_of_their_own(manifests):
    pod = manifests.workload("chargepoint")
    files = [
        manifests.environment(pod.container(name), 1)["ALIVE_FILE"] for name in ("chargepoint", "charger")
    ]
    assert len(set(files)) == len(files)


def test_every_volume_is_there_and_every_port_is_one_containers(manifests):
    for workload in manifests.workloads:
        declared = {volume["name"] for volume in workload.pod.get("volumes", [])}
        claims = {one["metadata"]["name"] for one in workload.spec.get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for one in workload.containers for mount in one.get("volumeMounts", [])}
        assert mounted == declared | claims, workload.name
        ports = [port["containerPort"] for one in workload.containers for port in one.get("ports", [])]
        assert len(ports) == len(set(ports)), f"{workload.name}: one pod, one network"
        for volume in workload.pod.get("volumes", []):
            maps = [volume, *volume.get("projected", {}).get("sources", [])]
            for name, items in (
                (one["configMap"]["name"], one["configMap"].get("items", []))
                for one in maps
                if "configMap" in one
            ):
                data = manifests.named("ConfigMap")[name]["data"]
                assert {item["key"] for item in items} <= set(data)
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in manifests.named("PersistentVolumeClaim")


def test_kubectl_can_apply_every_configmap(manifests):
    """It keeps what it applied in an annotation, of at most 256 KiB."""
    for name, config_map in manifests.named("ConfigMap").items():
        assert len(str(config_map["data"])) < 250_000, name


def test_images_are_ours_of_this_version_or_those_of_compose(manifests):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    foreign = {one["image"] for one in COMPOSE["services"].values() if "image" in one}
    for workload in manifests.workloads:
        for container in workload.containers:
            expected = {f"chargebench/{container['name']}:{version}"} | foreign
            assert container["image"] in expected


def test_passwords_are_marked_or_not_there():
    (secret,) = Manifests("development").secret_keys().values()
    assert set(secret.values()) == {"development-only"}
    assert Manifests("production").of_kind("Secret") == []


def test_the_same_files_as_everywhere_else(manifests):
    """Access list, roles and dashboards are not copied."""
    data = {
        key: value for one in manifests.of_kind("ConfigMap") for key, value in one.get("data", {}).items()
    }
    for path in ("deploy/mosquitto/acl", "services/memorybank/sql/roles.sql", "deploy/postgres/10-roles.sql"):
        assert data[path.rpartition("/")[2]] == (ROOT / path).read_text()
    dashboards = {path.name for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    assert {key for key in data if key in dashboards} == dashboards
