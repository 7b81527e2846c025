"""The Kubernetes deployment as far as it shows without a cluster: the Job that a month becomes, what it refers to."""

from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext
from dagster_k8s.launcher import K8sRunLauncher

from pipeline.definitions import defs

DEPLOY = Path(__file__).parents[2] / "deploy"
CLUSTER = """
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: nobody}}]
current-context: none
users: [{name: nobody, user: {}}]
"""


def documents(name):
    return [found for found in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()) if found]


[INSTANCE] = documents("dagster.yaml")
[KUSTOMIZATION] = documents("kustomization.yaml")
MANIFESTS = {(found["kind"], found["metadata"]["name"]): found for found in documents("census.yaml")}


@pytest.fixture(scope="module")
def month_job(tmp_path_factory):
    """The Job that Dagster's launcher, as deployed, would ask the cluster to make for one month."""
    config = tmp_path_factory.mktemp("kubernetes") / "config"
    config.write_text(CLUSTER)
    cluster = mock.Mock()
    launcher = K8sRunLauncher(
        **INSTANCE["run_launcher"]["config"],
        load_incluster_config=False,
        kubeconfig_file=str(config),
        k8s_client_batch_api=cluster,
        k8s_client_core_api=mock.Mock(),
    )
    origin = (
        ReconstructableRepository.for_module("pipeline.definitions", "defs", working_directory="/opt/census")
        .get_reconstructable_job("monthly_census")
        .get_python_origin()
    )
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        run = instance.create_run_for_job(
            defs.resolve_job_def("monthly_census"),
            job_code_origin=origin,
            tags={"dagster/partition": "2025-08-01"},
        )
        with mock.patch.object(instance, "get_ref", return_value=None):
            launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    return cluster.create_namespaced_job.call_args.kwargs["body"]


@pytest.fixture
def pod(month_job):
    return month_job.spec.template.spec


@pytest.fixture
def container(pod):
    [only] = pod.containers
    return only


def test_a_month_is_one_job_with_one_pod_that_is_not_started_twice(month_job, pod, container):
    assert month_job.spec.backoff_limit == 0
    assert pod.restart_policy == "Never"
    assert container.args[:3] == ["dagster", "api", "execute_run"]
    assert "pipeline.definitions" in container.args[-1]


def test_a_months_pod_has_the_memory_that_a_whole_month_was_measured_to_need(container):
    assert container.resources.requests["memory"] == "5Gi"
    assert container.resources.limits["memory"] == "10Gi"
    peak = next(
        line.split("|")[7]
        for line in (DEPLOY.parent / "docs" / "performance.md").read_text().splitlines()
        if line.startswith("| a whole month through Dagster")
    )
    assert float(peak) < 5


def test_a_months_pod_runs_as_nobody_in_particular_with_a_home_of_its_own(pod, container):
    assert pod.security_context.run_as_user == 10001
    assert pod.security_context.run_as_non_root
    assert container.security_context.allow_privilege_escalation is False
    mounted = {mount.mount_path: mount.name for mount in container.volume_mounts}
    assert mounted["/census"] == "home"
    assert "/opt/census/dagster/dagster.yaml" in mounted
    [home] = [volume for volume in pod.volumes if volume.name == "home"]
    assert home.empty_dir


def test_what_a_months_pod_refers_to_is_made_by_the_manifests_or_asked_of_the_operator(pod, container):
    maps = {generated["name"] for generated in KUSTOMIZATION["configMapGenerator"]}
    assert {source.config_map_ref.name for source in container.env_from if source.config_map_ref} <= maps
    assert {volume.config_map.name for volume in pod.volumes if volume.config_map} <= maps
    assert {source.secret_ref.name for source in container.env_from if source.secret_ref} == {"census"}
    assert ("ServiceAccount", pod.service_account_name) in MANIFESTS
    assert KUSTOMIZATION["generatorOptions"]["disableNameSuffixHash"]


def test_the_daemon_may_make_and_look_after_jobs_and_nothing_else():
    rules = MANIFESTS["Role", "census"]["rules"]
    may = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert {("jobs", "create"), ("jobs", "delete"), ("jobs/status", "get"), ("pods", "list")} <= may
    assert "secrets" not in {resource for resource, _ in may}


def test_services_and_runs_are_of_one_image_and_one_instance():
    for name in ("daemon", "webserver"):
        pod = MANIFESTS["Deployment", name]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == INSTANCE["run_launcher"]["config"]["job_image"]
        assert {"name": "DAGSTER_HOME", "value": INSTANCE["run_launcher"]["config"]["dagster_home"]} in container["env"]
        assert pod["serviceAccountName"] == "census"
    assert {document["kind"] for document in MANIFESTS.values()}.isdisjoint({"Ingress"})
