"""Mutants of a model's folder: a tiny model of the zoo whose files are changed, removed or replaced
by what is no file. They are read as planning reads them; some are also loaded."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from study.errors import StudyError
from study.models.chat_templates.study_renderings import model_rendering
from study.models.chat_templates.thinking import undecided_thinking
from study.models.folders.loader import FolderLoader, check_loadable
from study.models.pairs import ModelRef, zoo
from study.models.tokenizers import cached_tokenizer
from study.models.weights import MAX_WINDOW, ModelFacts, model_facts
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import as_json, changed_bytes, changed_content
from tests.hostile_templates import hostile_template

SOURCE = Path(zoo()[0].tuned.path)
WEIGHTS = "model.safetensors"
DATE = dt.date(2026, 1, 1)
LOADED = 0.15
"Share of the mutants that are loaded."
ENDLESS = "replaced by an endless one"
ADDED = {
    "adapter_config.json": b'{"base_model_name_or_path": "nobody/nothing"}',
    "model.safetensors.index.json": b'{"weight_map": {"a": "../../a.safetensors"}}',
    "additional_chat_templates/tools.jinja": b"{% for x in range(10) %}{{ x }}",
    "tokenizer.model": b"\x00\xff",
    "code.py": b"raise SystemExit('code was run')",
    "pytorch_model.bin": b"cos\nsystem\n(S'false'\ntR.",
    "consolidated.safetensors": b"another format",
}
TEMPLATES = (
    b"{{ messages.nothing.nothing }}",
    b"{% for message in messages %}{{ message.content }}",
    b"{{ 1/0 }}",
    b"{{ '\x1b[2J' }}{{ messages[0].content }}",
    b"{{ raise_exception('\x1b]0;title\x07' * 1000) }}",
    b"{% for i in range(10**9) %}{{ i }}{% endfor %}",
    b"{{ ''.__class__.__mro__ }}",
    b"{{ lipsum() }}",
    b"{% include 'x' %}",
    b"{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    b"{{ 'a' * 10**6 }}",
    b"{{ strftime_now('%Y') }}{{ messages[0].content }}",
    b"\xff\xfe",
    b"",
)


class FuzzModelFolders(Fuzzer):
    """Folders of models, read as planning reads them."""

    name = "model folders"
    sample = 25

    def prepare(self, folder: Path) -> None:
        shutil.copytree(SOURCE, folder / "model")
        self.original = _facts(folder / "model")
        self.names = sorted(path.name for path in SOURCE.iterdir())
        self.read(folder, Mutant("nothing", {}, {"load": True}))

    def mutant(self, random: Random) -> Mutant:
        kind = random.choice((_content, _content, _content, _bytes, _header, _template, _other))
        name, data, change, content = kind(self.names, random)
        content["load"] = random.random() < LOADED
        files = {} if data is Ellipsis else {f"model/{name}": data}
        return Mutant(f"{name} {change}", files, content, invalid=change == ENDLESS)

    def read(self, folder: Path, mutant: Mutant) -> None:
        model = folder / "model"
        with _replaced(model, mutant.content.get("replace")):
            facts = _facts(model)
            check_loadable(facts)
            cached_tokenizer.cache_clear()
            if facts.has_template:
                rendering = model_rendering(facts, facts.overrides, date=DATE, arguments={})
                undecided_thinking(rendering)
            if _differs(mutant):
                _check_changed(facts, self.original)
            assert facts.window is None or 1 <= facts.window <= MAX_WINDOW
            if mutant.content["load"]:
                loaded = FolderLoader(facts, allow_pickled_weights=False).model(dtype="auto")
                counted = sum(tensor.numel() for tensor in loaded.parameters())
                assert counted == facts.parameters, "other parameters than the header has"


def _facts(folder: Path) -> ModelFacts:
    return model_facts(ModelRef(str(folder)), allow_pickled_weights=False)


def _differs(mutant: Mutant) -> bool:
    """Whether a file of the model has other content."""
    for name, data in mutant.files.items():
        source = SOURCE / Path(name).name
        if source.is_file() and source.read_bytes() != data:
            return True
    return False


def _check_changed(facts: ModelFacts, original: ModelFacts) -> None:
    parts = [(f.weights, f.tokenizer, f.generation) for f in (facts, original)]
    assert parts[0] != parts[1], "a changed file is not part of the identity"


Change = tuple[str, Any, str, dict[str, Any]]
"Name of the file, its data (None deletes it, ... leaves it), what was changed, and content."


def _content(names: list[str], random: Random) -> Change:
    name = random.choice([name for name in names if name.endswith(".json")])
    changed, change = changed_content(json.loads((SOURCE / name).read_text()), random)
    return name, as_json(changed), change, {}


def _bytes(names: list[str], random: Random) -> Change:
    name = random.choice(names)
    data, change, _ = changed_bytes((SOURCE / name).read_bytes(), random)
    return name, data, change, {}


def _header(names: list[str], random: Random) -> Change:
    """The header of the weights: its length, its content, or what follows."""
    data = (SOURCE / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    kind = random.randrange(4)
    if kind == 0:
        new = random.choice((0, 1, length - 1, length + 1, len(data), 2**31, 2**63, 2**64 - 1))
        return WEIGHTS, new.to_bytes(8, "little") + data[8:], f"header of {new} bytes", {}
    if kind == 1:
        end = random.choice((0, 4, 8, 9, 8 + length, 8 + length + 1, len(data) - 1))
        return WEIGHTS, data[:end], f"cut after {end} bytes", {}
    content = json.loads(data[8 : 8 + length])
    if kind == 2:
        content, change = changed_content(content, random)
    else:
        first, second = random.sample([name for name in content if name != "__metadata__"], 2)
        content[first], content[second] = content[second], content[first]
        change = f"{first} and {second} exchanged"
    text = as_json(content)
    return WEIGHTS, len(text).to_bytes(8, "little") + text + data[8 + length :], change, {}


def _template(names: list[str], random: Random) -> Change:
    if random.random() < 0.5:
        return "chat_template.jinja", random.choice(TEMPLATES), "replaced", {}
    endless = hostile_template(random)
    if random.random() < 0.3 and "{% block" not in endless:  # only with some template arguments
        argument = random.choice(("enable_thinking", "thinking", "reasoning_effort"))
        endless = f"{{% if {argument} is defined %}}{endless}{{% endif %}}{{{{ messages }}}}"
    return "chat_template.jinja", endless.encode(), ENDLESS, {}


def _other(names: list[str], random: Random) -> Change:
    """A file that is missing, added, or no file."""
    kind = random.randrange(3)
    if kind == 0:
        return random.choice(names), None, "missing", {}
    if kind == 1:
        name = random.choice(sorted(ADDED))
        return name, ADDED[name], "added", {}
    name, other = random.choice(names), random.choice(sorted(OTHERS))
    return name, ..., f"replaced by a {other}", {"replace": (name, other)}


OTHERS: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "loop": lambda path: path.symlink_to(path),
    "dangling link": lambda path: path.symlink_to(path.parent / "nothing"),
    "link to its folder": lambda path: path.symlink_to(path.parent),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
}


@contextmanager
def _replaced(folder: Path, replace: tuple[str, str] | None) -> Iterator[None]:
    """A file replaced by something else; it must be refused."""
    if replace is None:
        yield
        return
    path = folder / replace[0]
    content = path.read_bytes()
    path.unlink()
    OTHERS[replace[1]](path)
    try:
        yield
    except StudyError:
        raise
    else:
        raise AssertionError("what is not a file was accepted as one")
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        path.write_bytes(content)
