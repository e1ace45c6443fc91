"""A package as pip would have installed it: a module and its dist-info, in a folder that goes on `sys.path`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["install"]


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    files: Mapping[str, str],
    offers: Mapping[str, Mapping[str, str]],
    version: str = "1.2",
) -> Path:
    """Write `files` (name → text) into a package, and entry points (group → name → module); returns the package's folder."""
    home = folder / package
    home.mkdir(parents=True)
    (home / "__init__.py").touch()
    for name, text in files.items():
        (home / name).write_text(text)
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [f"[{group}]\n" + "".join(f"{n} = {m}\n" for n, m in names.items()) for group, names in offers.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        del sys.modules[module]  # that of an earlier test, from a folder of its own
    monkeypatch.syspath_prepend(str(folder))
    return home
