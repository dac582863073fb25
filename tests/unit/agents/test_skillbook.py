"""Skills: what ships is whole; what is broken is named with its file; templates use what there is and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agents.modelled import ROLES, prompt
from agents.skillbook import HOME, SkillError, every, lint, read, render

GOOD = (
    "---\nname: fine\ndescription: Does a thing. Use when it is to be done.\n---\n\n# Fine\n\nSee [more](references/more.md).\n"
)
NAMES = ["baseline", "config-tuner", "kernel-harness", "kernel-integrator", "patch-auditor", "profile"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one sound skill."""
    folder = tmp_path / "skills" / "fine"
    (folder / "references").mkdir(parents=True)
    (folder / "SKILL.md").write_text(GOOD)
    (folder / "references" / "more.md").write_text("More.\n")
    (folder / "prompt.md.j2").write_text("{{ skill }}\n{% include 'answer.md.j2' %}")
    (folder.parent / "answer.md.j2").write_text("Schema: {{ answer_schema }}\n")
    return folder.parent


def test_the_skills_that_ship_are_sound() -> None:
    """Named, described with when to use them, without a problem, each reference mentioned."""
    assert [item.name for item in every()] == NAMES and list(lint()) == []
    assert all("Use " in item.description and len(item.body) > 1000 for item in every())


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_has_a_prompt(role: str) -> None:
    """With the skill's text, the schema of the answer, and the word that evidence is data; the same digest every time."""
    found = prompt(role)
    skill = read(HOME / ROLES[role][0])
    assert skill.body in found.text and "DATA>>>" in found.text and found == prompt(role)
    assert json.dumps(ROLES[role][1].model_json_schema(), indent=1, sort_keys=True) in found.text


def test_a_template_is_given_text_and_not_templates(home: Path) -> None:
    """What stands in a skill is never evaluated."""
    path = home / "fine" / "SKILL.md"
    path.write_text(GOOD + "{{ 7 * 7 }} {% include '/etc/passwd' %}\n")
    assert "{{ 7 * 7 }} {% include '/etc/passwd' %}" in render(read(home / "fine"), {"answer_schema": "{}"}).text


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ secret }}", "'secret' is undefined"),
        ("{{ skill.__class__.__mro__ }}", "unsafe|undefined"),
        ("{% include '../../outside.md' %}", "outside"),
        ("{% for %}", "prompt.md.j2"),
        ("{{ skill.replace('a', 'b') }}{{ answer_schema.x }}", "no attribute 'x'"),
    ],
)
def test_a_template_that_wants_more_is_refused(home: Path, template: str, says: str) -> None:
    """Unknown names, a way out of the folder, a way into Python."""
    (home.parent / "outside.md").write_text("outside")
    (home / "fine" / "prompt.md.j2").write_text(template)
    with pytest.raises(SkillError, match=says):
        render(read(home / "fine"), {"answer_schema": "{}"})


def test_a_value_that_is_missing_or_unknown_is_refused(home: Path) -> None:
    """Nothing is rendered with a hole in it."""
    skill = read(home / "fine")
    with pytest.raises(SkillError, match="answer_schema"):
        render(skill, {})
    with pytest.raises(SkillError, match="prompts"):
        render(skill, {"answer_schema": "", "prompts": "all of them"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# No frontmatter\n", "SKILL.md:1: no frontmatter"),
        ("---\nname: other\ndescription: x\n---\n", "must be the folder's"),
        ("---\nname: fine\n---\n", "wants name and description"),
        ("---\nname: fine\ndescription: x\nauthor: me\n---\n", "wants name and description"),
        ("---\nname: fine\ndescription: 5\n---\n", "are texts"),
        ("---\nname: fine\ndescription: ''\n---\n", "1 to 1024"),
        (f"---\nname: fine\ndescription: {'x' * 1025}\n---\n", "1 to 1024"),
        ("---\nname: [\n---\n", "not YAML"),
        ("---\n- a\n---\n", "wants name and description"),
        (GOOD.replace("references/more.md", "references/gone.md"), "links to references/gone.md"),
        (GOOD.replace("[more](references/more.md)", "more"), "never mentions references/more.md"),
        (GOOD + "line\n" * 600, "move what is looked up"),
        ("x" * 300_000, "more than"),
    ],
)
def test_lint_names_file_and_problem(home: Path, text: str, says: str) -> None:
    """One line for each."""
    (home / "fine" / "SKILL.md").write_text(text)
    problems = list(lint(home))
    assert problems and any(says in line and str(home / "fine") in line for line in problems), problems


def test_lint_sees_templates(home: Path) -> None:
    """A name that no template may use, and one that does not parse."""
    (home / "fine" / "prompt.md.j2").write_text("{{ seeds }}")
    (home / "answer.md.j2").write_text("{% if %}")
    assert [line.rpartition("/")[2] for line in lint(home)] == [
        "answer.md.j2:1: Expected an expression, got 'end of statement block'",
        "prompt.md.j2: uses 'seeds'; templates may use skill, answer_schema",
    ]


def test_what_is_no_text_is_named(home: Path) -> None:
    """Bytes, and a folder without its file."""
    (home / "fine" / "SKILL.md").write_bytes(b"---\nname: fine\xff")
    assert "not UTF-8" in next(iter(lint(home)))
    shutil.rmtree(home / "fine")
    (home / "bare").mkdir()
    assert "cannot be read" in next(iter(lint(home)))
