"""The wheel works from any folder; the lock file pins everything and names no place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_works_from_any_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert {name.split("/")[0] for name in packed.namelist() if ".dist-info" not in name} == {
            "conf",
            "sweep",
            "workers",
        }
        data = {"conf/cluster/rayjob.yml", "conf/cluster/ray-up.yml", "sweep/document/page.css"}
        assert data <= set(packed.namelist())
        packed.extractall(tmp_path / "site")
    away = tmp_path / "away"
    away.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(tmp_path / "site")}
    show = [sys.executable, "-c", "import sweep; print(sweep.__file__)"]
    assert str(away) not in subprocess.check_output(show, cwd=away, env=environment, text=True)
    shown = subprocess.check_output([*show[:1], "-m", "sweep", "--cfg", "job"], cwd=away, env=environment, text=True)
    assert "name: small" in shown
    (away / "mine" / "grid").mkdir(parents=True)
    (away / "mine" / "grid" / "mine.yaml").write_text("name: mine\ncpus: [3]\n")
    own = [sys.executable, "-m", "sweep", "--config-dir", "mine", "+grid=mine", "--cfg", "job"]
    assert "name: mine" in subprocess.check_output(own, cwd=away, env=environment, text=True)
    assert [path.name for path in away.iterdir()] == ["mine"]


def test_the_lock_file_pins_everything_by_hash_and_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|^\s*-(?!-hash)|^\s*--(?!hash)|@|(^|\s)\.{0,2}/", text, re.M)
    pins = re.findall(r"^([a-z0-9.-]+)==(\S+) \\\n(?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.M)
    assert len(pins) == len(re.findall(r"^\S+==", text, re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.match(r"[\w-]+", line).group().lower() for line in wanted}  # type: ignore[union-attr]
    assert names <= {name for name, _ in pins}


def test_the_lock_file_of_the_browser_tests_names_no_place_either() -> None:
    folder = ROOT / "tests" / "browser"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    locked = {name: pin for name, pin in json.loads(text)["packages"].items() if name}
    assert all(pin["integrity"].startswith("sha512-") for pin in locked.values())
    wanted = json.loads((folder / "package.json").read_text())["devDependencies"]
    assert {f"node_modules/{name}": version for name, version in wanted.items()}.items() <= {
        name: pin["version"] for name, pin in locked.items()
    }.items()
