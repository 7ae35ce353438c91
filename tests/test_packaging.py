"""An installation holds what the clone holds, under one name, and runs without the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOMES = {"bloomish": "bloomish", "analysis": "bloomish.analysis",
         "runtime": "bloomish.runtime", "programs": "bloomish.programs"}  # fmt: skip


def folders_with_modules() -> set[str]:
    found = set()
    for top, package in HOMES.items():
        for module in (ROOT / top).rglob("*.py"):
            inner = module.parent.relative_to(ROOT / top).parts
            through_link = top == "bloomish" and inner and inner[0] in HOMES
            if not through_link and "target" not in inner:
                found.add(".".join((package, *inner)))
    return found


def test_every_package_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(settings["tool"]["setuptools"]["packages"]) == folders_with_modules()


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sdist_to_wheel_to_an_installation_outside_the_clone(tmp_path: Path) -> None:
    """The whole way that a release takes; the engine's build is shared with the clone."""
    target = str(ROOT / "runtime" / "engine" / "target")
    dist = tmp_path / "dist"
    build = ("-m", "build", "--no-isolation", "--outdir", str(dist))
    run(sys.executable, *build, "--sdist", str(ROOT), cwd=tmp_path)
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        assert any(name.endswith("runtime/engine/Cargo.toml") for name in names)
        assert not any("/target/" in name for name in names)
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    run(sys.executable, *build, "--wheel", str(source), cwd=tmp_path, CARGO_TARGET_DIR=target)
    (wheel,) = dist.glob("*.whl")
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bloomish"}
    assert not [name for name in names if name.endswith((".rs", "Cargo.toml"))]
    for module in (ROOT / "programs").glob("*.py"):
        assert f"bloomish/programs/{module.name}" in names

    home = tmp_path / "home"
    run(sys.executable, "-m", "venv", home, cwd=tmp_path)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)
    # The dependencies come from here. A path in a .pth file is only added: .pth files in that
    # folder, such as the one of this clone's own editable installation, are not read.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))",
                    cwd=tmp_path).strip())  # fmt: skip
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import bloomish; print(bloomish.__file__)", cwd=tmp_path)
    assert where.startswith(str(home))
    version = run(home / "bin" / "bloomish", "--version", cwd=tmp_path)
    assert version == run(python, "-m", "bloomish", "--version", cwd=tmp_path)
    built_here = subprocess.run([sys.executable, "-c", "import bloomish._engine"]).returncode == 0
    if built_here and shutil.which("cargo"):
        run(python, "-c", "import bloomish._engine", cwd=tmp_path)
    report = run(home / "bin" / "bloomish", "demo", "--actions", "200", cwd=tmp_path)
    assert "LatticeCart" in report
