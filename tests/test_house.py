"""The house holds: floors, keyword-only options, light imports, documentation, declared dependencies."""

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import kpalette

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kpalette"

# Rooms from the ground up: a module imports from lower floors, or from rooms named before it on its own.
FLOORS = {
    0: ["errors", "types"],
    1: ["files", "arrays", "color", "gamut", "difference"],
    2: [
        "palette", "ranges", "palette_ase", "palette_formats", "palette_files", "images", "exif", "image_metadata",
        "image_decode", "image_encode", "image_files",
    ],
    3: ["extract", "lightness", "lut", "lut_files", "recolorer", "metrics"],
    4: ["soft", "fitted", "baseline", "reference", "clusters", "workers", "slopes"],
    5: [
        "models", "models.weights_format", "models.weights_files", "models.weights", "models.preset",
        "models.initializers", "models.layers", "models.swatch_layers", "models.spectral", "models.generator",
        "models.discriminator", "models.checkpoint", "losses", "models.operators", "models.export", "models.graph",
    ],
    6: [
        "data", "data.listing", "data.images", "data.cifar", "data.artbench", "data.swatches", "data.pairs",
        "data.samples", "data.pipeline",
    ],
    7: [
        "upsample", "network",
        "training", "training.config", "training.tensorflow_step", "training.jax_step", "training.adversarial",
        "training.backup", "training.scores", "training.validation", "training.previews", "training.logs",
        "training.networks", "training.loop", "training.run",
    ],
    8: ["recoloring"],
    9: [
        "evaluation", "sheet", "manifest", "batch", "study_cases", "probes", "study_records", "study", "study_tables",
        "svg_figure", "study_plane", "page", "page.names", "page.settings", "page.pictures", "page.palettes",
        "page.results", "page.drawing", "page.memory",
    ],
    10: [
        "cli", "cli.tables", "cli.streams", "cli.options", "cli.jobs", "cli.about", "cli.inspect", "cli.palettes",
        "cli.recolor", "cli.lut", "cli.export", "cli.evaluate", "cli.app", "train", "search", "search.space",
        "search.plan", "search.records", "search.published", "search.events", "search.figure", "search.report",
        "search.progress", "search.process", "search.trial", "search.oracles", "search.tuner", "search.address",
        "search.session", "__main__", "",
    ],
}  # fmt: skip
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
ORDER = [room for floor in sorted(FLOORS) for room in FLOORS[floor]]
BACKENDS = {
    "keras", "tensorflow", "jax", "jaxlib", "torch", "onnxruntime", "onnx", "tf2onnx", "tensorboard", "matplotlib",
    "keras-tuner", "grpcio",
}  # fmt: skip
BACKENDS_FROM_FLOOR = 5
TUNED = ("search.oracles", "search.tuner", "search.session")


def rooms() -> dict[str, Path]:
    names = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {re.sub(r"(^|\.)__init__$", "", name): path for path, name in names.items()}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_has_its_floor():
    assert sorted(rooms()) == sorted(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_imports_go_down(room):
    names = {name for name in imports(rooms()[room]) if name.split(".")[0] == "kpalette"}
    if not room.startswith(("cli", "__main__")):
        assert "kpalette" not in names, f"{room} imports the root package, which sees every floor"
    inside = {name.removeprefix("kpalette").removeprefix(".") for name in names}
    above = {name for name in inside if name in ORDER and name and ORDER.index(name) >= ORDER.index(room)}
    assert not above, f"{room} imports {above} from above"


@pytest.mark.parametrize(
    "room", [room for floor, names in FLOORS.items() if floor < BACKENDS_FROM_FLOOR for room in names]
)
def test_low_floors_import_no_backend(room):
    assert not {name.split(".")[0] for name in imports(rooms()[room])} & BACKENDS


def test_every_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[>=<\[;]", entry)[0] for entry in project["dependencies"]}
    distributions = {
        "cv2": "opencv-python-headless", "PIL": "pillow", "skimage": "scikit-image", "keras_tuner": "keras-tuner",
        "grpc": "grpcio",
    }  # fmt: skip
    used = {name.split(".")[0] for path in rooms().values() for name in imports(path)}
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
    for room in ORDER:
        if room.startswith("cli") or room in ("__main__", ""):
            continue
        if FLOOR_OF[room] >= BACKENDS_FROM_FLOOR and importlib.util.find_spec("keras") is None:
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
PAIRS = {"palette.Palette.__init__", "palette.Palette.from_rgb"}


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


@pytest.mark.parametrize("room", ORDER)
def test_functions_stay_under_40_lines(room):
    for node in ast.walk(ast.parse(rooms()[room].read_text())):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno + 1 - (documented.count("\n") + 1 if documented else 0)
            assert length < 40, f"{room}.{node.name} is {length} lines long"


def test_files_stay_under_300_lines():
    long = {name: n for name, path in rooms().items() if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_public_names_load_lazily_and_all_exist():
    code = (
        "import sys, kpalette; before = set(sys.modules);"
        "assert not before & {'numpy', 'cv2', 'PIL', 'scipy'}, before;"
        "[getattr(kpalette, name) for name in kpalette.__all__];"
        "assert callable(kpalette.recolor); import kpalette.recoloring; assert callable(kpalette.recolor);"
        "assert set(kpalette.__all__) <= set(dir(kpalette))"
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
