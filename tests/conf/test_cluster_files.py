"""The cluster files that users copy: what Ray and Kubernetes would refuse, and what must hold in ours."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import ray
import yaml
from jsonschema import ValidationError
from kubernetes_validate import ValidationError as PodError
from ray.scripts.scripts import start as ray_start

from sweep.compose import compose
from workers.schema import ScenarioError

CONF = Path(__file__).parents[2] / "conf" / "cluster"
KUBERNETES = "1.34"
RAY_UP_SCHEMA = json.loads(Path(ray.__file__).with_name("autoscaler").joinpath("ray-schema.json").read_text())


def fields(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """The JSON schema of an object with these fields and no others."""
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


WHOLE, TEXT, TEXTS = {"type": "integer", "minimum": 0}, {"type": "string"}, {"additionalProperties": {"type": "string"}}
POD = {"type": "object"}  # left to kubernetes-validate
GROUP = {"groupName": TEXT, "replicas": WHOLE, "minReplicas": WHOLE, "maxReplicas": WHOLE, "rayStartParams": TEXTS}
RAYJOB = fields(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=fields(("generateName",), generateName=TEXT),
    spec=fields(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        backoffLimit=WHOLE,
        submitterConfig=fields(backoffLimit=WHOLE),
        rayClusterSpec=fields(
            ("headGroupSpec",),
            rayVersion=TEXT,
            authOptions=fields(mode={"enum": ["token", "disabled"]}),
            headGroupSpec=fields(("template",), serviceType=TEXT, rayStartParams=TEXTS, template=POD),
            workerGroupSpecs={
                "type": "array",
                "items": fields(("groupName", "minReplicas", "maxReplicas", "template"), **GROUP, template=POD),
            },
        ),
    ),
)
"""The fields of a RayJob that ours uses, as KubeRay 1.7 (ray-project/kuberay) defines them in
ray-operator/config/crd/bases/ray.io_rayjobs.yaml; limits in ray-operator/controllers/ray/utils/validation.go.
"""


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / name).read_text())


def check_ray_start(options: list[str]) -> None:
    known = {option for parameter in ray_start.params for option in parameter.opts}
    assert {option.partition("=")[0] for option in options} <= known


def check_ray_up(said: dict[str, Any]) -> None:
    jsonschema.validate(said, RAY_UP_SCHEMA)
    for where in ("head", "worker"):
        (command,) = (text for text in said[f"{where}_start_ray_commands"] if " start " in text)
        assert command.startswith("RAY_AUTH_MODE=token ")
        options = [word for word in shlex.split(command) if word.startswith("--")]
        check_ray_start(options)
        assert ("--num-cpus=0" in options) == (where == "head")
        assert not [o for o in options if o.startswith("--dashboard-host")] or "--dashboard-host=127.0.0.1" in options


def check_rayjob(said: dict[str, Any]) -> None:
    jsonschema.validate(said, RAYJOB)
    spec, cluster = said["spec"], said["spec"]["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    for group in (head, *workers):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}} | group["template"]
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        check_ray_start([f"--{name}" for name in group["rayStartParams"]])
        (container,) = pod["spec"]["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["spec"]["volumes"]}
    assert spec["shutdownAfterJobFinishes"]
    assert spec["backoffLimit"] >= 1
    assert spec["submitterConfig"]["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] > 0
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["rayVersion"] == ray.__version__
    assert head["serviceType"] == "ClusterIP"
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert all("num-cpus" not in group["rayStartParams"] for group in workers)


def test_the_ray_up_file() -> None:
    check_ray_up(load("ray-up.yml"))


def test_the_rayjob() -> None:
    check_rayjob(load("rayjob.yml"))


def test_the_rayjob_runs_a_sweep_that_can_be() -> None:
    python, flag, module, *overrides = shlex.split(load("rayjob.yml")["spec"]["entrypoint"])
    assert [python, flag, module] == ["python", "-m", "sweep"]
    composed = compose(overrides)
    assert composed is not None
    mounted = load("rayjob.yml")["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    root = mounted["volumeMounts"][0]["mountPath"]
    assert str(composed.config.output).startswith(f"{root}/")
    assert str(composed.config.store).startswith(f"{root}/")


def put(said: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    at: Any = said
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[last] = value


SPEC, HEAD = "spec.rayClusterSpec", "spec.rayClusterSpec.headGroupSpec"


@pytest.mark.parametrize(
    ("name", "check", "path", "value", "raised"),
    [
        ("ray-up.yml", check_ray_up, "max_wokers", 2, ValidationError),
        ("ray-up.yml", check_ray_up, "provider.worker_ips", "one", ValidationError),
        (
            "ray-up.yml",
            check_ray_up,
            "head_start_ray_commands",
            ["RAY_AUTH_MODE=token ray start --haed"],
            AssertionError,
        ),
        ("ray-up.yml", check_ray_up, "worker_start_ray_commands", ["ray start --address=x:1"], AssertionError),
        ("rayjob.yml", check_rayjob, "spec.backofLimit", 1, ValidationError),
        ("rayjob.yml", check_rayjob, "spec.activeDeadlineSeconds", 0, ValidationError),
        ("rayjob.yml", check_rayjob, "spec.submitterConfig.backoffLimit", 1, AssertionError),
        ("rayjob.yml", check_rayjob, f"{SPEC}.authOptions.mode", "disabled", AssertionError),
        ("rayjob.yml", check_rayjob, f"{HEAD}.rayStartParams.num-cpu", "0", AssertionError),
        ("rayjob.yml", check_rayjob, f"{HEAD}.rayStartParams.num-cpus", "1", AssertionError),
        ("rayjob.yml", check_rayjob, f"{HEAD}.template.spec.containers.0.imagePolicy", "Always", PodError),
        ("rayjob.yml", check_rayjob, f"{SPEC}.workerGroupSpecs.0.template.spec.containers.0.image", 7, PodError),
    ],
)
def test_a_planted_error_is_found(
    name: str, check: Callable[[dict[str, Any]], None], path: str, value: Any, raised: type[Exception]
) -> None:
    said = copy.deepcopy(load(name))
    put(said, path, value)
    with pytest.raises(raised):
        check(said)


def test_they_are_no_options_of_a_sweep() -> None:
    with pytest.raises(ScenarioError, match="'rayjob' was given; allowed are existing, local"):
        compose(["cluster=rayjob"])
