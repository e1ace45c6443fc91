"""The house rules that nobody wins back later: layers, no cycles, where torch may be, sizes, names, honest surfaces."""

import ast
import importlib
import pathlib
import re
import subprocess
import sys

import pytest
from pydantic import BaseModel

from orcamath.extend import FAMILIES, offers

ROOT = pathlib.Path(__file__).parents[2]
SRC = ROOT / "src" / "orcamath"
MODULES = {
    ".".join(["orcamath", *p.relative_to(SRC).with_suffix("").parts]).removesuffix(".__init__"): p
    for p in sorted(SRC.rglob("*.py"))
}
PACKAGES = {n for n, p in MODULES.items() if p.name == "__init__.py"}

# Rooms in layers: a module imports from its own layer or a lower one. The longest prefix decides.
LAYERS = [
    [
        "records",
        "identity",
        "errors",
        "ports",
        "machines",
        "extend",
        "intervals",
        "settings",
        "answers",
        "visible",
        "terminal",
        "signals",
        "text",
        "yaml_reader",
        "reading",
    ],
    ["store"],
    [
        "sources",
        "agents",
        "prompts",
        "judges",
        "contamination",
        "duplicates",
        "verify",
        "worked",
        "preferences",
        "mistakes",
        "difficulty",
        "scoring",
        "trackers",
    ],
    ["student"],
    ["stages"],
    [
        "recipe_settings",
        "recipe_versions",
        "recipe_file",
        "recipe_overrides",
        "outline",
        "workshop",
        "growth",
        "measured",
        "spells",
        "recipe",
        "experiment",
        "plan",
        "recipes",
    ],
    ["report", "view", "export"],
    ["backends", "classroom", "cluster", "testing", "families", "fields", "member", "held", "held_backend"],
    ["assemble", "running", "checks", "commands", "notebook", "verbs", "cli", "__main__"],
]
LAYER = {room: i for i, rooms in enumerate(LAYERS, 1) for room in rooms}
TORCH_ROOMS = (
    "orcamath.student",
    "orcamath.backends.transformers_local",
    "orcamath.classroom.pupil",
    "orcamath.testing.losses",
    "orcamath.classroom.pretrain",
)
TORCH = {"torch", "transformers", "accelerate", "peft", "tokenizers", "safetensors"}
MAX_FILE, MAX_FUNCTION, MAX_RECIPE = 320, 40, 200
MAX_ANY = 199
"""Mentions in all of src: where libraries without types and JSON of others come in."""
EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc", "base", "manager", "handler"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def tree(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: pathlib.Path, *, everywhere: bool = True) -> set[str]:
    """Names of imported modules; `everywhere` counts imports inside functions too."""
    nodes = ast.walk(tree(path)) if everywhere else iter(tree(path).body)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out"
            found.add(node.module or "")
            found |= {f"{node.module}.{a.name}" for a in node.names}
    return found


def brought(path: pathlib.Path) -> set[str]:
    """Names that a module imports from others."""
    return {a.asname or a.name for n in ast.walk(tree(path)) if isinstance(n, ast.ImportFrom) for a in n.names}


def ours(path: pathlib.Path) -> set[str]:
    return {m for m in imports(path) if m in MODULES}


@pytest.mark.parametrize("module", [m for m in MODULES if room(m)])
def test_a_module_imports_only_from_its_own_layer_or_below(module: str) -> None:
    assert room(module) in LAYER, f"{module} is in no room; give it one"
    wrong = {m for m in ours(MODULES[module]) if room(m) and LAYER[room(m)] > LAYER[room(module)]}
    assert not wrong, f"{module} (layer {LAYER[room(module)]}) imports from above: {wrong}"


def test_imports_make_no_cycle() -> None:
    graph = {m: ours(p) - {m} for m, p in MODULES.items()}
    # `from package import member` names both; the package counts only where something of its own is meant
    graph = {
        m: {d for d in deps if not (d in PACKAGES and any(o.startswith(d + ".") for o in deps))}
        for m, deps in graph.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for dependency in sorted(graph[module]):
                visit(dependency, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(TORCH_ROOMS)])
def test_torch_lives_in_its_rooms_only(module: str) -> None:
    assert not {m.split(".")[0] for m in imports(MODULES[module])} & TORCH


@pytest.mark.parametrize("module", MODULES)
def test_sizes(module: str) -> None:
    text = MODULES[module].read_text()
    ceiling = MAX_RECIPE if module == "orcamath.recipe" else MAX_FILE
    assert text.count("\n") <= ceiling, f"{module} has {text.count(chr(10))} lines; ceiling {ceiling}"
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.body[0].lineno + 1  # a signature is a table
            assert size <= MAX_FUNCTION, f"{module}.{node.name} has {size} lines"


@pytest.mark.parametrize("module", MODULES)
def test_names_and_docstrings(module: str) -> None:
    assert module.rsplit(".", 1)[-1] not in EMPTY_NAMES
    assert ast.get_docstring(tree(MODULES[module])), f"{module} does not say what it is"


@pytest.mark.parametrize("module", [m for m in MODULES if not m.endswith("__main__")])
def test_every_module_imports_and_all_is_exactly_what_is_public(module: str) -> None:
    if not hasattr(loaded := importlib.import_module(module), "__all__"):
        own = [n for n in ast.iter_child_nodes(tree(MODULES[module])) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert not own, f"{module} defines things and has no __all__"
        return
    public = {
        n.name
        for n in tree(MODULES[module]).body
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not n.name.startswith("_")
        and not any("app.command" in ast.unparse(d) for d in n.decorator_list)  # typer's verbs
    }
    assert public <= set(loaded.__all__), f"{module}: public but not in __all__: {public - set(loaded.__all__)}"
    for name in loaded.__all__:
        assert hasattr(loaded, name), f"{module}.__all__ names `{name}`, which is not there"


def test_a_public_function_or_figure_is_used_by_somebody_else() -> None:
    """Types are what functions take and return, so they may be public without being named again."""
    root, word = pathlib.Path(__file__).parents[2], re.compile(r"\w+")
    texts = {
        p: set(word.findall(p.read_text()))
        for d in ("src", "tests", "benchmarks", "docs")
        for p in root.joinpath(d).rglob("*.py")
    }
    told = {
        w for d in ("src", "docs") for p in root.joinpath(d).rglob("*.[mt][dx]*") for w in word.findall(p.read_text())
    }
    alone = set()
    for module, path in MODULES.items():
        types = {n.name for n in tree(path).body if isinstance(n, ast.ClassDef)}
        types |= {
            n.targets[0].id
            for n in tree(path).body
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name) and isinstance(n.value, ast.Subscript)
        }
        for name in set(getattr(importlib.import_module(module), "__all__", ())) - types - asked_for(module) - told:
            if not any(name in words for other, words in texts.items() if other != path):
                alone.add(f"{module}.{name}")
    assert not alone, "make these private, or leave them out of `__all__`"


BESIDE_THE_ENTRY = {"source": {"LICENCE"}, "loss": {"advantage"}, "agent": {"make"}}
"""What our own members of a family have by the same name beside its entry (`extend.FAMILIES`)."""


def asked_for(module: str) -> set[str]:
    """Names that a module has by what it is: a member of a family, a program, or a door to one by the same contract."""
    names = {"main"} if "if __name__ ==" in MODULES[module].read_text() or module == "orcamath.cli" else set()
    for family, (entry, _, package) in FAMILIES.items():
        offered = {o.module for o in offers(family) if o.by is None}
        if module in offered or (package and module.startswith(f"{package}.")):
            names |= {entry} | BESIDE_THE_ENTRY.get(family, set())
    if module.startswith("orcamath.verbs.") or module == "orcamath.cli":
        names.add("app")  # typer's
    return names | ({"open_chat"} if module == "orcamath.assemble" else set())  # of whichever backend is named


def test_a_public_name_means_one_thing() -> None:
    """But for the front of the package (`orcamath.notebook`), whose verbs are on purpose those of the command line."""
    homes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in tree(path).body if module != "orcamath.notebook" else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                for name in set(ast.literal_eval(node.value)) - asked_for(module) - brought(path):
                    homes.setdefault(name, []).append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
    contracts = {name for module in MODULES for name in asked_for(module)}
    assert {name: where for name, where in homes.items() if name in contracts} == {}, "it is what a family asks for"


def test_dynamic_imports_are_in_families_only() -> None:
    for module, path in MODULES.items():
        if module != "orcamath.families":
            assert "importlib.import_module" not in path.read_text(), module
            assert "__import__(" not in path.read_text(), module


HEAVY = {"torch", "transformers", "pydantic", "pyarrow", "aiohttp", "numpy", "sklearn", "jinja2", "ruamel"}


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom orcamath.cli import main\n"
        "sys.argv = ['orcamath', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print('LOADED', sorted(set(sys.modules) & {HEAVY!r}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "LOADED []" in out, out
    assert "doctor" in out, "the help itself"


def test_commands_in_the_readme_exist() -> None:
    from typer.main import get_command

    from orcamath.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"^\s*(?:\$ )?orcamath ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert used
    assert used <= known, f"README uses {used - known}"


def test_no_machine_path_or_registry_host_in_tracked_text() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".yaml", ".toml", ".txt"}
            and path.is_file()
            and path != pathlib.Path(__file__)
        ):
            text = path.read_text(errors="replace")
            assert not re.search(r"(?<![\w~.:/])/(?:work|root)/[.a-z]|--(?:extra-)?index-url", text), name


def test_no_key_is_written_out_in_tracked_text() -> None:
    """Nor one made up for a test: who looks for keys in a repository takes it for one. A test puts its own together."""
    from orcamath.store.literals import refuse_keys

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    raw = (".parquet", ".png", ".safetensors", ".sqlite", ".gz")
    texts = {n: (ROOT / n).read_text(errors="replace") for n in listed if (ROOT / n).is_file() and not n.endswith(raw)}
    assert len(texts) > 500
    for name, text in texts.items():
        refuse_keys(re.sub(r"(?<!\$)\{\w+\}", "", text), name)  # what is filled in is no part of a text


def test_no_model_brings_code_of_its_own() -> None:
    """Whatever transformers loads by name or folder is told so, on every path: GGUF, 4-bit, tokenizers and configurations."""
    found = 0
    for module, path in MODULES.items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and re.match(r"Auto\w+\.from_(pretrained|config)$", ast.unparse(node.func)):
                found += 1
                told = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert told.get("trust_remote_code") == "False", f"{module}:{node.lineno}"
    assert found >= 6


def test_one_rule_formats_everything() -> None:
    trace = "# fmt" + ":"
    found = [
        p
        for part in ("src", "tests", "benchmarks", "docs")
        for p in (ROOT / part).rglob("*.py")
        if trace in p.read_text()
    ]
    assert not found, "the formatter decides: write a list of words as one string, and a long table a row a line"


def test_one_place_steers_the_terminal_and_one_reads_yaml() -> None:
    for module, path in MODULES.items():
        text = path.read_text()
        if module != "orcamath.terminal" and room(module) != "testing":  # which misbehaves on purpose
            assert "\\x1b[" not in text, module
            assert not re.search(r"(?<!\w)Console\((?!file=)", text), module
        if module != "orcamath.yaml_reader":
            assert not re.search(r"YAML\([^)]*\)\.(?:load|parse|compose)|YAML\(typ=", text), module


ONE_OF_EACH: dict[str, str | tuple[str, ...]] = {
    r"[$€£₹]{2}|[$][|]€|\"€\": |dollars\?|[$][|]dollar": "text.money",
    r"def (?:jaccard|minima|normal|sentences|content_words|language_of|truth)\b": "text.",
    r"\(\?<=\[\.!\?|split\(\"[.!?] ": ("text.sentences", "answers.locate"),  # problems and replies: see there why
    r"(?i)monday[\"',|\s]+tuesday|january[\"',|\s]+february": "text.words",
    r"sQuestion\",\s+\"original_text|frage\"?,?\s+\"?aufgabe|\"options\", \"choices\"": "text.columns",
    r"\"yes\": |\"false\", \"no\"|\"no\", \"n\"|\"true\", \"yes\"|\"yes\", \"y\"": "text.truth",
    r"np\.minimum\.reduceat|least of each hash": "text.minhash",
    r"\.with_name\([^\n]*\.(?:new|writing|tmp|partial)\b": "store.placing",
    r"\b\w+\.replace\(\w[\w.]*\)": "store.placing",  # of a path: a text's takes two
    r"clip\(visible\(\" \"": "visible",
    r"entry\.record is record": "store.sealed",
    r"{arm}: {label}": "report.arms",
}
"""What several rooms do to words and files, by a trace of it, and where it is done."""


@pytest.mark.parametrize(("trace", "home"), ONE_OF_EACH.items())
def test_what_several_rooms_do_is_done_in_one_place(trace: str, home: str | tuple[str, ...]) -> None:
    found = {m.removeprefix("orcamath.") for m, path in MODULES.items() if re.search(trace, path.read_text())}
    assert found
    assert {m for m in found if not m.startswith(home)} == set()


def test_the_core_does_not_know_the_classroom() -> None:
    """What it offers, and what a recipe gets that names none, stands in its own `entry_points.txt`."""
    for path in SRC.rglob("*.py"):
        if SRC / "classroom" not in path.parents:
            found = re.search(r".*(?:classroom|textbook|pupil).*", path.read_text(), re.IGNORECASE)
            assert found is None, f"{path.relative_to(SRC)}: {found[0].strip() if found else ''}"


def test_the_types_have_few_holes() -> None:
    text = {module: path.read_text() for module, path in MODULES.items()}
    mentions = {module: len(re.findall(r"\bAny\b", t)) for module, t in text.items()}
    assert sum(mentions.values()) <= MAX_ANY, sorted(mentions.items(), key=lambda m: -m[1])[:10]
    for module, t in text.items():
        for line in re.findall(r".*type: ignore.*", t):
            assert re.search(r"# type: ignore\[[\w-]+\] # \w", line), f"{module}: {line.strip()}: say which, and why"


def test_a_setting_with_another_default_keeps_its_bounds() -> None:
    """`max_new_tokens: int = 700` in a subclass takes the bound of the field above away: bounds belong into the type."""
    modules = (importlib.import_module(m) for m in MODULES if not m.endswith("__main__"))
    named = (value for module in modules for value in vars(module).values())
    settings = {kind for kind in named if isinstance(kind, type) and issubclass(kind, BaseModel)}
    lost = [
        f"{kind.__module__}.{kind.__name__}.{name}"
        for kind in settings
        for above in kind.__mro__[1:]
        if issubclass(above, BaseModel)
        for name, field in above.model_fields.items()
        if not set(map(repr, field.metadata)) <= set(map(repr, kind.model_fields[name].metadata))
    ]
    assert settings
    assert lost == []
