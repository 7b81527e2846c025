"""What the documentation names exists, and what exists is in it."""

import re
from pathlib import Path

import click
import yaml

from benchmarks.capacity import page_with
from pipeline.cli.commands import census
from pipeline.cli.graph_picture import graph_picture

ROOT = Path(__file__).parents[2]
CONTEXT = click.Context(census)
COMMANDS = {name: census.get_command(CONTEXT, name) for name in census.list_commands(CONTEXT)}
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
VARIABLE = re.compile(r"\b(?:CENSUS|HF|DAGSTER)_[A-Z_]+\b")
FOREIGN = {"HF_TOKEN", "HF_ENDPOINT", "DAGSTER_HOME"}


def sources():
    code = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "assets").rglob("*.py")]
    deployed = (path for path in (ROOT / "deploy").rglob("*") if path.is_file())
    return [*code, *deployed, ROOT / "Makefile"]


def variables_in_code():
    named = {name for path in sources() for name in VARIABLE.findall(path.read_text())}
    return {name for name in named if name.startswith("CENSUS_")} | FOREIGN


def test_every_variable_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", OPERATIONS, re.MULTILINE))
    assert documented == variables_in_code()
    assert {name for path in DOCUMENTS for name in VARIABLE.findall(path.read_text())} <= documented


def test_every_command_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"^\| `census ([a-z-]+)`", OPERATIONS, re.MULTILINE))
    assert documented == set(COMMANDS)
    mentioned = {
        name for path in DOCUMENTS for name in re.findall(r"(?:`|^)census ([a-z][a-z-]*)", path.read_text(), re.M)
    }
    assert mentioned <= set(COMMANDS)


def test_the_files_that_the_documentation_and_the_makefile_name_exist():
    in_the_project = re.compile(r"\b(?:tests|assets|pipeline|benchmarks|synthetic_hub|docs)/[\w/]+\.\w+")
    for path in [*(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]:
        named = set(in_the_project.findall(path.read_text()))
        assert [name for name in sorted(named) if not (ROOT / name).exists()] == [], path


def test_the_options_that_the_documentation_shows_exist():
    used = re.findall(r"(?:`|^)census ([a-z-]+)((?: [^`\n#]*)?)", OPERATIONS + (ROOT / "README.md").read_text(), re.M)
    for command, rest in used:
        options = {option for parameter in all_parameters(COMMANDS[command]) for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, command


def all_parameters(command):
    return [
        *command.params,
        *(parameter for sub in getattr(command, "commands", {}).values() for parameter in sub.params),
    ]


def test_every_link_between_documents_leads_somewhere():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_architecture_names_every_package():
    named = set(re.findall(r"^\| `([a-z_/]+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE))
    packages = {
        f"{path.parts[-2]}/{path.name}"
        for top in ("assets", "pipeline")
        for path in (ROOT / top).iterdir()
        if (path / "__init__.py").exists()
    }
    assert named == packages | {"synthetic_hub"}


def test_the_picture_of_the_graph_is_the_one_that_the_definitions_make():
    assert (ROOT / "docs" / "images" / "graph.svg").read_text() == graph_picture(), "run `make docs`"


def test_the_capacity_on_paper_follows_from_the_figures_that_were_measured():
    page = (ROOT / "docs" / "scale.md").read_text()
    assert page == page_with(page), "run `python -m benchmarks.capacity --page docs/scale.md`"


def test_a_deployments_instance_differs_from_a_laptops_in_its_storage_only():
    laptop = yaml.safe_load((ROOT / "pipeline" / "orchestration" / "dagster.yaml").read_text())
    deployed = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    laptop.pop("event_log_storage")
    assert deployed.pop("storage") == {"postgres": {"postgres_url": {"env": "CENSUS_INSTANCE_URL"}}}
    assert deployed == laptop


def test_what_the_image_copies_is_there():
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
