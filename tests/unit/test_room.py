"""On what a run's SQLite files lie: a network file system is named, warned of on one machine, refused on a cluster."""

from pathlib import Path

import pytest

from orcamath.checks import whole
from orcamath.recipe_file import load
from orcamath.store.room import network_type

MOUNTS = """\
overlay / overlay rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sda1 /home/local\\040disk ext4 rw 0 0
10.0.0.1@tcp:/scratch /scratch lustre rw 0 0
//box/share /mnt/share cifs rw 0 0
box:/d /mnt/données nfs rw 0 0
tmpfs /scratch tmpfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/store/ledger", "nfs4"),
        ("/home", "nfs4"),
        ("/homework", None),  # another folder
        ("/home/local disk/store", None),  # a disk inside of it
        ("/mnt/share/store", "cifs"),
        ("/mnt/données/store", "nfs"),
        ("/scratch/store", None),  # what was mounted last lies on top
        ("/var/tmp", None),
    ],
)
def test_the_innermost_mount_counts(path: str, kind: str | None, mounts: Path) -> None:
    assert network_type(Path(path), mounts) == kind


def test_a_link_to_an_own_disk_is_that_disk(mounts: Path, tmp_path: Path) -> None:
    mounts.write_text(f"overlay / overlay rw 0 0\nserver:/x {tmp_path}/store nfs rw 0 0\n")
    (tmp_path / "store").mkdir()
    assert network_type(tmp_path / "store" / "ledger", mounts) == "nfs"
    (tmp_path / "own").mkdir()
    (tmp_path / "store" / "ledger").symlink_to(tmp_path / "own")
    assert network_type(tmp_path / "store" / "ledger", mounts) is None


def test_where_nobody_says_what_is_mounted_nothing_is_claimed(tmp_path: Path) -> None:
    assert network_type(tmp_path, tmp_path / "none") is None


def test_a_network_file_system_is_warned_of_here_and_refused_on_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "network_type", lambda path: "nfs" if path.name == "ledger" else None)
    here = whole.check(load("classroom"), tmp_path, everything=False)
    assert not here.troubles
    assert any("ln -s" in str(w) and "nfs" in str(w) for w in here.warnings)
    there = whole.check(load("classroom"), tmp_path, everything=False, on_cluster=True)
    assert ["--store" in str(t) for t in there.troubles] == [True]
