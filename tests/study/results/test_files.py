"""A file is written whole or not at all, and what killed processes leave behind is deleted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import StudyError
from study.processes import ProcessIdentity
from study.results import files as module
from study.results.files import (
    ABANDONED_SECONDS,
    NoFileError,
    earlier_file_name,
    file_name,
    flush,
    names_in,
    read_regular,
    sweep,
    temporary_path,
    unwritable,
    write_together,
    write_whole,
    writing,
)


def test_content_replaces_the_old_and_nothing_else_remains(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    flush(path)


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its whole content is flushed, then it is renamed."""
    steps: list[tuple[str, int, int]] = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        steps.append(("flushed", status.st_ino, status.st_size))

    def renamed(source: Path, target: Path) -> None:
        steps.append(("renamed", source.stat().st_ino, source.stat().st_size))
        replace(source, target)

    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    content = b"content" * 100_000
    write_whole(path, content)
    number = path.stat().st_ino
    assert steps == [("flushed", number, len(content)), ("renamed", number, len(content))]


def test_the_files_of_a_folder_are_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, fsync, replace = set(), os.fsync, os.replace

    def recorded(descriptor: int) -> None:
        fsync(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def checked(source: Path, target: Path) -> None:
        assert flushed == {path.stat().st_ino for path in (source, source / "a", source / "b")}
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(os, "replace", checked)
    with writing(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("a")
        (temporary / "b").write_text("b")
    assert names_in(tmp_path / "folder") == ["a", "b"]


def test_files_that_are_written_together_have_their_own_content(tmp_path: Path) -> None:
    contents = {tmp_path / "folder" / str(number): b"%d" % number * 9999 for number in range(4)}
    write_together(contents)
    assert {path: path.read_bytes() for path in (tmp_path / "folder").iterdir()} == contents


def test_an_error_of_one_of_several_files_is_raised_and_no_part_of_it_remains(
    tmp_path: Path,
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StudyError):
        write_together({tmp_path / "taken": b"a", tmp_path / "free": b"b"})
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "free"}
    assert (tmp_path / "free").read_bytes() == b"b"


def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path) -> None:
    """While it is written, the old content stands there; if that is interrupted, it remains."""
    path = tmp_path / "file"
    write_whole(path, b"old")

    def interrupted() -> None:
        with writing(path) as temporary:
            temporary.write_bytes(b"ne")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_a_folder_in_the_place_of_the_file_is_an_error_and_no_file_remains(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StudyError, match="expected a folder that can be written to"):
        write_whole(tmp_path / "file", b"content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(StudyError, match=r"folder/file: found (Not a directory|File exists)"):
        write_whole(tmp_path / "folder" / "file", b"content")


def test_the_error_says_why_and_what_to_do() -> None:
    error = unwritable(Path("place"), OSError(28, os.strerror(28)))
    assert str(error).startswith("place: found No space left on device; expected")
    assert "Free space or change the permissions" in str(error)
    assert unwritable(Path("place"), OSError("odd")).found == "odd"


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "something that is not a file"),
        (os.mkfifo, "something that is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "something that is not a file"),
        (lambda path: path.symlink_to(path), "a loop of symbolic links"),
        (lambda path: path.symlink_to("nothing"), "no such file"),
    ],
)
def test_what_is_not_a_file_is_not_read(
    make: Callable[[Path], object], found: str, tmp_path: Path
) -> None:
    make(tmp_path / "file")
    with pytest.raises(NoFileError, match=found):
        read_regular(tmp_path / "file")


def test_a_file_that_cannot_be_read_is_not_a_missing_file() -> None:
    with pytest.raises(StudyError, match="mem: found Input/output error; expected a file or"):
        read_regular(Path("/proc/self/mem"))


WRITES = """
import sys, time
from pathlib import Path
from study.results.files import writing

with writing(Path(sys.argv[1]) / "file") as temporary:
    temporary.write_text("half of")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_files_of_killed_processes_are_deleted_and_those_of_living_ones_are_not(
    tmp_path: Path,
) -> None:
    folders = [tmp_path, tmp_path / "a" / "b"]
    processes = []
    for folder in folders:
        command = [sys.executable, "-c", WRITES, str(folder)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
    with writing(tmp_path / "pack") as mine:
        mine.mkdir()
        assert sweep(tmp_path) == 0
        processes[1].kill()
        processes[1].communicate()
        assert sweep(tmp_path) == 1
        assert names_in(folders[1]) == []
        processes[0].kill()
        processes[0].communicate()
        assert sweep(tmp_path) == 1
        assert names_in(tmp_path) == [mine.name, "a"]
    assert sweep(tmp_path) == 0


def test_each_temporary_file_names_its_process(tmp_path: Path) -> None:
    """Two processes never write the same one, on whichever machines they are."""
    me = ProcessIdentity.current()
    name, other = temporary_path(tmp_path).name, temporary_path(tmp_path).name
    assert name != other
    parts = (me.host, me.boot, str(me.namespace), str(me.pid), str(me.born))
    assert name.startswith(".writing." + ".".join(parts) + ".")
    command = "from pathlib import Path; from study.results.files import temporary_path as path; "
    command += "print(path(Path()).name)"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert result.stdout.startswith(f".writing.{me.host}.{me.boot}.{me.namespace}.")
    assert result.stdout.rpartition(".")[0] != name.rpartition(".")[0]


def as_written_by(folder: Path, **changes: object) -> Path:
    """A temporary file of a process that differs from this one."""
    me = {**ProcessIdentity.current().__dict__, **changes}
    identity = ".".join(str(me[name]) for name in ("host", "boot", "namespace", "pid", "born"))
    path = folder / f".writing.{identity}.0"
    path.write_text("half of")
    return path


def ended() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


UNSEEN = [
    {"host": "elsewhere", "pid": 2**21},
    {"boot": "0" * 32, "pid": 2**21},
    {"namespace": 7, "pid": 2**21},
]
"Processes of which nothing can be seen from here: another host, boot or container."


@pytest.mark.parametrize("change", UNSEEN)
def test_a_file_whose_writer_cannot_be_seen_is_kept_until_it_is_old(
    change: dict[str, object], tmp_path: Path
) -> None:
    path = as_written_by(tmp_path, **change)
    now = time.time()
    for age, n_deleted in ((0.0, 0), (-60.0, 0), (-ABANDONED_SECONDS + 60, 0)):
        os.utime(path, (now + age, now + age))
        assert sweep(tmp_path) == n_deleted
    os.utime(path, (now, now - ABANDONED_SECONDS - 60))
    assert sweep(tmp_path) == 1
    assert names_in(tmp_path) == []


def test_an_old_folder_is_kept_while_a_file_in_it_is_written(tmp_path: Path) -> None:
    path = as_written_by(tmp_path, host="elsewhere")
    path.unlink()
    path.mkdir()
    (path / "cells").write_text("new")
    old = time.time() - ABANDONED_SECONDS - 60
    os.utime(path, (old, old))
    assert sweep(tmp_path) == 0
    os.utime(path / "cells", (old, old))
    assert sweep(tmp_path) == 1
    assert names_in(tmp_path) == []


def test_the_number_of_a_killed_process_may_be_anothers_now(tmp_path: Path) -> None:
    me = ProcessIdentity.current()
    as_written_by(tmp_path, pid=ended())
    as_written_by(tmp_path, born=me.born - 1)
    assert sweep(tmp_path) == 2


@pytest.mark.parametrize(
    "name", [f".{'a' * 64}.done.host.7", f".{'b' * 16}.items.parquet", f".{'a' * 64}.x.json.h.1"]
)
def test_files_that_earlier_versions_left_are_deleted_when_they_are_old(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.touch()
    assert sweep(tmp_path) == 0
    old = time.time() - ABANDONED_SECONDS - 60
    os.utime(path, (old, old))
    assert sweep(tmp_path) == 1


def test_nothing_else_is_deleted(tmp_path: Path) -> None:
    old = time.time() - 10 * ABANDONED_SECONDS
    names = [".hidden", ".writing", ".writing.x", "file.tmp", ".writing.h.b.1.2.3", "a.writing.h.0"]
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (old, old))
    assert sweep(tmp_path) == 0
    assert names_in(tmp_path) == sorted(names)
    assert sweep(tmp_path / "nothing") == 0


def test_age_is_measured_by_the_clock_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of this machine may jump."""
    as_written_by(tmp_path, host="elsewhere")
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert "time" not in vars(module)
    assert sweep(tmp_path) == 0


def test_a_name_of_a_model_becomes_part_of_a_file_name() -> None:
    assert file_name("llama-early_xs.1") == "llama-early_xs.1"
    assert re.fullmatch(r"org-Model-1\.5_b-main\.[0-9a-f]{16}", file_name("org/Model-1.5_b@main"))
    assert len(file_name("m" * 500)) == len(file_name("m" * 120)) == 120
    assert file_name("x" * 200 + "end")[:-17].endswith("end")
    assert file_name("Modèle").isascii()


def test_no_two_models_share_a_file_name() -> None:
    models = ["org/a-b", "org-a/b", "org-a-b", "org@a-b", "é", "e\u0301", "", "-", "m" * 120]
    models += ["m" * 121, "m" * 500, *map(file_name, ("org/a-b", "é", "m" * 500))]
    assert len(set(map(file_name, models))) == len(models)


def test_the_earlier_file_name_is_the_end_of_the_name_with_hyphens() -> None:
    assert earlier_file_name("org/a model_1.5b") == "org-a-model_1.5b"
    assert earlier_file_name("a" * 50 + "/" + "b" * 119) == "-" + "b" * 119
