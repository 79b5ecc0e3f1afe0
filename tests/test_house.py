"""The house: rooms and their import rule, keyword-only options, light imports, documentation, declared dependencies."""

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import time
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import kpalette
from tests.conftest import ROOT

PACKAGE = ROOT / "kpalette"

# The import rule of CONTRIBUTING.md: a room imports from the lines above its own, never from its own line.
RULE = (
    ("ground",),
    ("color",),
    ("kernels",),
    ("images", "weights"),
    ("palettes",),
    ("metrics", "report"),
    ("models",),
    ("data", "runtimes"),
    ("recolorers",),
    ("training", "batch", "study"),
    ("search", "page"),
    ("cli",),
    ("doors",),
)
GROUND = ("errors", "types", "parallel", "files")
DOORS = ("", "__main__", "train")
LEVEL = {room: level for level, rooms in enumerate(RULE) for room in rooms}
WITHOUT_BACKENDS = ("ground", "color", "images", "weights", "palettes", "metrics", "recolorers")
BACKENDS = {
    "keras", "tensorflow", "jax", "jaxlib", "torch", "onnxruntime", "onnx", "tf2onnx", "tensorboard", "matplotlib",
    "keras-tuner", "grpcio", "streamlit", "numba",
}  # fmt: skip
TUNED = ("search.oracles", "search.tuner", "search.session")


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below `kpalette`; a package is its own `__init__`."""
    names = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {re.sub(r"(^|\.)__init__$", "", name): path for path, name in names.items()}


MODULES = modules()


def room_of(module: str) -> str:
    return "ground" if module in GROUND else "doors" if module in DOORS else module.split(".")[0]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(module: str) -> set[str]:
    """The modules of kpalette that a module imports."""
    names = {name for name in imports(MODULES[module]) if name.split(".")[0] == "kpalette"}
    return {name.removeprefix("kpalette").removeprefix(".") for name in names} & MODULES.keys()


def test_every_module_lies_in_a_room():
    assert {room_of(module) for module in MODULES} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_room_imports_only_rooms_below_it(module):
    room = room_of(module)
    for other in own_imports(module):
        allowed = room_of(other) == room or LEVEL[room_of(other)] < LEVEL[room]
        # The command line asks the root for the version alone.
        assert allowed or (other == "" and room == "cli"), f"{module} imports {other or 'the root'} from above"


@pytest.mark.parametrize("room", sorted(LEVEL))
def test_no_circle_inside_a_room(room):
    own = {module for module in MODULES if room_of(module) == room}
    graph = {module: (own_imports(module) & own) - {module, room} for module in own}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(f"a circle in {room}: {circle.args[1]}")


@pytest.mark.parametrize(
    "module",
    [module for module in sorted(MODULES) if room_of(module) in WITHOUT_BACKENDS],
)
def test_these_rooms_import_no_backend(module):
    assert not {name.split(".")[0] for name in imports(MODULES[module])} & BACKENDS


def test_every_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[>=<\[;]", entry)[0] for entry in project["dependencies"]}
    distributions = {
        "cv2": "opencv-python-headless", "PIL": "pillow", "skimage": "scikit-image", "keras_tuner": "keras-tuner",
        "grpc": "grpcio",
    }  # fmt: skip
    used = {name.split(".")[0] for path in MODULES.values() for name in imports(path)}
    outside = {distributions.get(n, n) for n in used if n not in sys.stdlib_module_names} - {"kpalette"}
    extras = {re.split(r"[>=<\[;]", e)[0] for entries in project["optional-dependencies"].values() for e in entries}
    assert outside - (BACKENDS & extras) == declared


def test_requirements_are_all_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "tensorflow-cpu"}
    wanted = {*project["dependencies"], *(entry for entries in extras.values() for entry in entries)}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == wanted


def test_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == kpalette.__version__
    assert f"## {kpalette.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def public_callables() -> list[tuple[str, object]]:
    found = []
    for room in sorted(MODULES):
        if room_of(room) in ("cli", "doors"):
            continue
        if room_of(room) not in WITHOUT_BACKENDS and importlib.util.find_spec("keras") is None:
            continue
        if room_of(room) == "kernels" and importlib.util.find_spec("numba") is None:
            continue
        if room in TUNED and importlib.util.find_spec("keras_tuner") is None:
            continue
        module = __import__(f"kpalette.{room}", fromlist=["x"])
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__ or name.startswith("_"):
                continue
            if inspect.isfunction(value):
                found.append((f"{room}.{name}", value))
            elif inspect.isclass(value):
                methods = [(n, m) for n in vars(value) if inspect.isroutine(m := getattr(value, n))]
                written = [(n, m) for n, m in methods if not n.startswith("_") or (n == "__init__" and m.__doc__)]
                found += [(f"{room}.{name}.{n}", m) for n, m in written]
    return found


# Two values that belong together, and read best side by side.
PAIRS = {"palettes.palette.Palette.__init__", "palettes.palette.Palette.from_rgb"}


@pytest.mark.parametrize(("name", "function"), public_callables())
def test_options_are_keyword_only_and_named(name, function):
    parameters = inspect.signature(function).parameters.values()
    # Keras builds its classes by **kwargs, and calls them by positions.
    methods = ("__init__", "build", "call", "compile", "compute_output_shape", "from_config")
    of_keras = name.startswith(("models.", "training.adversarial")) and name.split(".")[-1] in methods
    if name in PAIRS or (of_keras and not name.endswith("__init__")):
        return
    for parameter in parameters:
        assert parameter.kind is not parameter.VAR_KEYWORD or of_keras, f"{name} takes **{parameter.name}"
        if parameter.default is not parameter.empty:
            assert parameter.kind is parameter.KEYWORD_ONLY, f"{name}: {parameter.name} must be keyword-only"


@pytest.mark.parametrize(("name", "function"), public_callables())
def test_every_public_function_says_what_it_takes(name, function):
    text = inspect.getdoc(function)
    assert text, f"{name} has no docstring"
    if getattr(function, "__annotations__", {}).keys() - {"return", "self"} and "." not in name.split(".", 1)[1]:
        taken = [p for p in inspect.signature(function).parameters if p not in ("args", "arrays")]
        told = sum(f"{p}:" in text or f"`{p}`" in text for p in taken)
        assert told == len(taken) or "\n" not in text or "as in `" in text, f"{name} does not say what each argument is"


@pytest.mark.parametrize("room", sorted(MODULES))
def test_functions_stay_under_40_lines(room):
    for node in ast.walk(ast.parse(MODULES[room].read_text())):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno + 1 - (documented.count("\n") + 1 if documented else 0)
            assert length < 40, f"{room}.{node.name} is {length} lines long"


def test_files_stay_under_300_lines():
    long = {name: n for name, path in MODULES.items() if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_public_names_load_lazily_and_all_exist():
    code = (
        "import sys, kpalette; before = set(sys.modules);"
        "assert not before & {'numpy', 'cv2', 'PIL', 'scipy'}, before;"
        "[getattr(kpalette, name) for name in kpalette.__all__];"
        "assert callable(kpalette.recolor); import kpalette.recolorers.recolor; assert callable(kpalette.recolor);"
        "assert set(dir(kpalette)) == {*kpalette.__all__, '__version__'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="module 'kpalette' has no attribute 'nothing'"):
        _ = kpalette.nothing


def test_the_command_line_starts_fast_and_loads_no_backend(tmp_path, photo):
    kpalette.write_image(tmp_path / "x.png", photo)
    code = (
        "import sys; from kpalette.cli.app import main; sys.argv = ['kpalette', 'palette', 'x.png']\n"
        "try: main()\nfinally: print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
        )
        seconds.append(time.perf_counter() - start)
    assert len(done.stdout.split()) == 4
    assert not BACKENDS & set(ast.literal_eval(done.stderr))
    assert min(seconds) < 1.0, seconds
