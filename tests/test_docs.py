"""What the documents say: links that lead somewhere, snippets that run, every option and every public name."""

import ast
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

import kpalette
from kpalette.cli.app import cli
from kpalette.images.files import write_image
from tests.cli.conftest import kp  # noqa: F401
from tests.conftest import ROOT, load

DOCS = ROOT / "docs"
MADE = set(DOCS.glob("study/*/tables.md"))
"""What `kpalette evaluate` writes beside its figures; the same tables stand in docs/study.md."""
PAGES = sorted(set(DOCS.rglob("*.md")) - MADE)
OTHERS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("checkpoints/**/*.md")), *sorted(ROOT.glob("findings/*.md"))]
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in OTHERS + PAGES}

RUN = ["README.md", *(f"docs/{name}.md" for name in ("start", "palettes", "pictures", "luts", "commands"))]
"""The documents whose shell snippets run; those of the others are parsed."""
CONTEXT = click.Context(cli)
HELP = ["-h", "--help"]  # Click keeps the help option that a command is asked for first
COMMANDS = {name: cli.get_command(CONTEXT, name) for name in cli.list_commands(CONTEXT)}
TOO_LONG = ("evaluate", "export", "demo")
"""Commands that measure or train: their snippets are parsed."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    """The commands of a document, continued lines joined and comments left out."""
    joined = "\n".join(blocks(text, "sh")).replace("\\\n", "")
    return [line for line in (re.sub(r"(^|\s+)#\s.*$", "", line) for line in joined.splitlines()) if line.strip()]


def simple_commands(line: str) -> list[list[str]]:
    """The programs that a line runs, each with its arguments: of pipes, lists and `$(kpalette ...)`."""
    inner = re.findall(r"\$\((kpalette [^)]*)\)", line)
    lexer = shlex.shlex(re.sub(r"\$\(kpalette [^)]*\)", "", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[list[str]] = [[]]
    for word in lexer:
        if word and set(word) <= set("|&;<>"):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words] + [words for text in inner for words in simple_commands(text)]


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def hooks():
    spec = importlib.util.spec_from_file_location("kpalette_site_hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_hold_no_placeholders_and_their_links_lead_somewhere(name):
    text = DOCUMENTS[name]
    assert not re.findall(r"TODO|TBD|FIXME|XXX|\b[A-Z]+_TABLE\b|@[A-Z_]+@", text)
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"\w+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name} links to {link}"
        # Anchors of the API pages are made from docstrings: the strict build of the site checks those.
        if anchor and "api" not in path.parts:
            assert anchor in anchors(path.read_text()), f"{name} links to {link}"


def test_the_readme_and_the_changelog_stay_short():
    readme, changes = DOCUMENTS["README.md"], DOCUMENTS["CHANGELOG.md"]
    assert len(readme.splitlines()) <= 160
    assert len(changes.splitlines()) <= 40
    for command in (
        "streamlit run streamlit_app.py", "python -m kpalette.train --phase adversarial", "python tuning/search.py",
        "import kpalette",
    ):  # fmt: skip
        assert re.search(rf"^{re.escape(command)}\b", readme, re.MULTILINE), command


def test_the_readme_lists_the_recolorers():
    from kpalette.recolorers.registry import list_recolorers

    for name in list_recolorers():
        assert f"| `{name}`" in DOCUMENTS["README.md"], name
        assert f"| `{name}`" in DOCUMENTS["docs/recolorers.md"], name


def test_every_page_is_in_the_nav():
    nav = re.findall(r"^ +- .*?([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = {path.relative_to(DOCS).as_posix() for path in PAGES} | set(hooks().outside())
    assert sorted(nav) == sorted(pages)


def test_every_public_name_is_on_the_api_pages():
    text = "\n".join(text for name, text in DOCUMENTS.items() if name.startswith("docs/api/"))
    # `kpalette.train` is a module too, which has the page's directive show that.
    shown = text.replace("::: kpalette.training.run.train\n", "::: kpalette.train\n")
    assert sorted(re.findall(r"^::: kpalette\.(\w+)$", shown, re.MULTILINE)) == kpalette.__all__
    overview = DOCUMENTS["docs/api/index.md"]
    assert not [name for name in kpalette.__all__ if f"`{name}`" not in overview]


def test_contributing_has_the_import_rule():
    house = (ROOT / "tests/test_house.py").read_text()
    rule = ast.literal_eval(re.search(r"^RULE = (\(.*?^\))", house, re.DOTALL | re.MULTILINE)[1])
    text = DOCUMENTS["CONTRIBUTING.md"]
    assert " < ".join(", ".join(rooms) for rooms in rule) in text.splitlines()
    for rooms in rule:
        for room in rooms:
            assert re.search(rf"^\| `?{room}/?`? \|", text, re.MULTILINE), f"CONTRIBUTING.md has no row for {room}"


@pytest.mark.parametrize(("name", "command"), sorted(COMMANDS.items()))
def test_every_command_and_option_is_documented(name, command):
    text = DOCUMENTS["docs/commands.md"]
    section = re.search(rf"^## `kpalette {name}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, f"docs/commands.md has no section for kpalette {name}"
    for option in command.params:
        if isinstance(option, click.Option):
            for flag in option.opts:
                assert re.search(rf"`{flag}\b", section[0]), f"{name} {flag} is not documented"


def options_of_training() -> dict[str, click.Option]:
    command = importlib.import_module("kpalette.train").command
    return {name: o for o in command.params if isinstance(o, click.Option) for name in (*o.opts, *o.secondary_opts)}


def options_of_the_search() -> set[str]:
    """From its text: importing it chooses a backend."""
    tree = ast.parse((ROOT / "tuning/search.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option"]
    texts = [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
    return {text for text in texts if text.startswith("-")}


def test_every_option_of_training_is_documented_with_its_default():
    rows = re.findall(r"^\| (`--[^|]*) \|([^|]*)\|([^|]*)\|$", DOCUMENTS["docs/training.md"], re.MULTILINE)
    documented = {flag: default for flags, _, default in rows for flag in re.findall(r"--[\w-]+", flags)}
    options = options_of_training()
    assert documented.keys() == options.keys()
    for flag, option in options.items():
        default = option.to_info_dict()["default"]
        if isinstance(default, int | float | str) and not isinstance(default, bool):
            assert str(default) in documented[flag], f"{flag} is {default} unless given"


def test_every_option_of_the_search_is_documented():
    documented = set(re.findall(r"`(-[\w-]+)`", "\n".join(re.findall(r"^\| `-.*$", DOCUMENTS["docs/search.md"], re.M))))
    assert options_of_the_search() <= documented


@pytest.mark.parametrize("name", [name for name, text in sorted(DOCUMENTS.items()) if blocks(text, "sh")])
def test_shell_snippets_name_what_there_is(name):
    """Commands, options, scripts and targets of make exist."""
    makefile = (ROOT / "Makefile").read_text()
    training = importlib.import_module("kpalette.train").command
    for line in shell_lines(DOCUMENTS[name]):
        for words in simple_commands(line):
            if words[0] == "make":
                targets = [word for word in words[1:] if "=" not in word]
                assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), line
            elif words[0] == "kpalette":
                command = COMMANDS[words[1]]
                command.make_parser(click.Context(command, help_option_names=HELP)).parse_args(words[2:])
            elif words[:3] == ["python", "-m", "kpalette.train"]:
                training.make_parser(click.Context(training, help_option_names=HELP)).parse_args(words[3:])
            elif words[:2] == ["python", "tuning/search.py"]:
                assert {word for word in words if word.startswith("-")} <= options_of_the_search(), line
            elif words[0] == "python" and words[1] not in ("-m", "-c"):
                assert (ROOT / words[1]).exists(), line


@pytest.fixture
def desk(tmp_path, monkeypatch, photo) -> Path:
    """A folder with the pictures that the documents speak of."""
    for name in ("photo.jpg", "photo.png", "painting.jpg", "painting.png", "poster.png", "frame.png", "result.jpg"):
        write_image(tmp_path / name, np.ascontiguousarray(photo[:64, :64]))
    for folder in ("photos", "scans/old"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(tmp_path / "photo.jpg", tmp_path / folder / "one.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", RUN)
def test_shell_snippets_run(name, desk, kp, monkeypatch):  # noqa: F811
    lines = [line for line in shell_lines(DOCUMENTS[name]) if "kpalette " in line and "_COMPLETE" not in line]
    assert lines
    for line in lines:
        if not line.startswith("kpalette ") or re.search(r"[|>]|\$\(", line):
            script = f'kpalette() {{ "{sys.executable}" -m kpalette "$@"; }}\n{line}'
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        elif (words := shlex.split(line))[1] not in TOO_LONG:
            result = kp(*words[1:])
            assert result.code == 0, f"{line}\n{result.err}"


@pytest.mark.parametrize("name", [name for name, text in sorted(DOCUMENTS.items()) if blocks(text, "python")])
def test_python_snippets_are_python(name):
    for block in blocks(DOCUMENTS[name], "python"):
        compile(block, name, "exec")


@pytest.mark.parametrize("name", ["README.md", "docs/api/index.md"])
def test_python_snippets_run(name, desk):
    names: dict = {}
    for block in blocks(DOCUMENTS[name], "python"):
        if "fit(" not in block:
            exec(block, names)
    assert isinstance(names["result"], kpalette.Picture)
    if name == "README.md":
        assert not np.array_equal(names["recolored"], names["array"])


def test_the_readmes_keras_snippet_runs(desk):
    load("tensorflow")
    (block,) = [block for block in blocks(DOCUMENTS["README.md"], "python") if "fit(" in block]
    shutil.copytree(desk / "photos", desk / "pictures")
    short = {"batch_size=8": "batch_size=2", "crop=128": "crop=16", "steps_per_epoch=500": "steps_per_epoch=1",
             "epochs=10": "epochs=1", 'loss="mse"': 'loss="mse", run_eagerly=True'}  # fmt: skip
    for long, value in short.items():
        assert long in block
        block = block.replace(long, value)
    exec(block, names := {})
    assert names["model"].built


def test_the_completion_scripts_are_clicks(monkeypatch):
    """docs/palettes.md says how to turn completion on."""
    wanted = set(re.findall(r"_KPALETTE_COMPLETE=(\w+)_source", DOCUMENTS["docs/palettes.md"]))
    assert wanted == {"bash", "zsh", "fish"}
    for shell in wanted:
        from click.shell_completion import get_completion_class

        completion = get_completion_class(shell)(cli, {}, "kpalette", "_KPALETTE_COMPLETE")
        assert "kpalette" in completion.source_template % completion.source_vars()


def test_links_of_the_repository_become_links_of_the_site():
    site = hooks()
    pages = site.outside()
    assert "CONTRIBUTING.md" in pages
    assert site.site_links("[a](../checkpoints/ablated/MODEL.md)", "training.md", pages) == (
        "[a](checkpoints/ablated/MODEL.md)"
    )
    assert site.site_links("[a](../examples/recolor.py#x)", "api/a.md", pages) == "[a](../examples/recolor.py#x)"
    assert site.site_links("[a](../../examples/recolor.py)", "api/a.md", pages) == "[a](../examples/recolor.md)"
    assert site.site_links("[a](docs/page.md#top)", "CONTRIBUTING.md", pages) == "[a](page.md#top)"
    assert site.site_links("[a](../docs/study.md)", "checkpoints/README.md", pages) == "[a](../study.md)"
    assert site.site_links("[a](https://example.org/b)", "start.md", pages) == "[a](https://example.org/b)"
    assert site.page_text(ROOT / "examples/recolor.py").startswith("# examples/recolor.py\n\n```python\n")


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ("<img alt='' src=//example.org/a.png>", ["//example.org/a.png"]),
        ('<link rel="stylesheet" href="https://example.org/a.css">', ["https://example.org/a.css"]),
        ("<style>@font-face{src:url(https://example.org/a.woff)}</style>", ["https://example.org/a.woff"]),
        ('<a href="https://example.org">x</a><script src="assets/a.js"></script><img src="a.png">', []),
        ('<link rel="canonical" href="https://example.org/">', []),
    ],
)
def test_what_a_page_would_load_from_the_web(html, found):
    assert hooks().remote_assets(html) == found
