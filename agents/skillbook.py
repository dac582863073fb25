"""Skills: instructions for personas, read from folders, checked, rendered, and known by the digest of what was rendered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HOME = Path(__file__).resolve().parents[1] / "skills"
FILE, TEMPLATE = "SKILL.md", "prompt.md.j2"
VARIABLES = ("skill", "answer_schema")
"""All that a template may use."""
KEYS = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
"""Of the frontmatter, by the Agent Skills layout; the first two are wanted."""
MOST_LINES, MOST_BYTES, MOST_DESCRIPTION = 500, 256 * 1024, 1024
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:\s]+)\)")


class SkillError(Exception):
    """A skill that cannot be used; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class Skill:
    """One folder of instructions."""

    name: str
    description: str
    body: str
    """Markdown after the frontmatter."""
    folder: Path
    sha256: str
    """Over name and digest of every file of the folder."""


class Rendered(NamedTuple):
    """A system prompt, and the digest it is known by."""

    text: str
    sha256: str


def read(folder: Path) -> Skill:
    """The skill in a folder. Raises SkillError."""
    path = folder / FILE
    text = _text(path)
    front = _FRONT.match(text)
    if front is None:
        raise SkillError(f"{path}:1: no frontmatter between two lines of three dashes")
    told = _frontmatter(front[1], path)
    if told["name"] != folder.name or not _NAME.fullmatch(folder.name) or len(folder.name) > 64:
        raise SkillError(f"{path}:2: name {told['name']!r}: must be the folder's, small letters, digits and single dashes")
    if not 0 < len(told["description"]) <= MOST_DESCRIPTION:
        raise SkillError(f"{path}: description: 1 to {MOST_DESCRIPTION} letters")
    return Skill(folder.name, told["description"], text[front.end() :].strip(), folder, _digest(folder))


def _frontmatter(text: str, path: Path) -> dict[str, str]:
    import yaml

    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SkillError(f"{path}: frontmatter: not YAML ({str(error)[:200]})") from error
    if not isinstance(found, dict) or not {"name", "description"} <= found.keys() <= KEYS:
        raise SkillError(f"{path}: frontmatter: wants name and description, and may have {', '.join(sorted(KEYS))}")
    if not all(isinstance(found[key], str) for key in ("name", "description")):
        raise SkillError(f"{path}: frontmatter: name and description are texts")
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SkillError(f"{path}: more than {MOST_BYTES} bytes")
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise SkillError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SkillError(f"{path}: not UTF-8 (byte {error.start})") from error


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        found.update(f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def every(home: Path = HOME) -> list[Skill]:
    """All skills by name. Raises SkillError for a folder that holds none."""
    return [read(folder) for folder in sorted(home.iterdir()) if folder.is_dir() and folder.name[0] not in "._"]


def render(skill: Skill, values: Mapping[str, str]) -> Rendered:
    """The skill's system prompt. ``values``: the variables but ``skill``. Raises SkillError on one that is missing or unknown."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    loader = jinja2.FileSystemLoader([skill.folder, skill.folder.parent])
    environment = ImmutableSandboxedEnvironment(
        loader=loader, undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    if set(values) - set(VARIABLES):
        raise SkillError(f"{skill.name}: no template may use {', '.join(sorted(set(values) - set(VARIABLES)))}")
    try:
        text = environment.get_template(TEMPLATE).render({**values, "skill": skill.body})
    except jinja2.TemplateNotFound as error:
        raise SkillError(f"{skill.folder / str(error)}: no such template") from error
    except jinja2.TemplateError as error:
        raise SkillError(f"{skill.folder / TEMPLATE}: {error}") from error
    return Rendered(text, hashlib.sha256(text.encode()).hexdigest())


def lint(home: Path = HOME) -> Iterator[str]:
    """What is wrong with the skills of a folder, a line each: ``file: problem``."""
    for folder in sorted(item for item in home.iterdir() if item.is_dir() and item.name[0] not in "._"):
        try:
            skill = read(folder)
        except SkillError as error:
            yield str(error)
            continue
        yield from _linted(skill)


def _linted(skill: Skill) -> Iterator[str]:
    path = skill.folder / FILE
    lines = skill.body.count("\n") + 1
    if lines > MOST_LINES:
        yield f"{path}: {lines} lines; move what is looked up into references/ ({MOST_LINES} at most)"
    for page in sorted(skill.folder.rglob("*.md")):
        for link in _LINK.findall(_text(page)):
            if not (page.parent / link).is_file():
                yield f"{page}: links to {link}, which is not there"
    linked = set(_LINK.findall(skill.body))
    for reference in sorted(skill.folder.glob("references/*")):
        if reference.relative_to(skill.folder).as_posix() not in linked:
            yield f"{path}: never mentions {reference.relative_to(skill.folder).as_posix()}"
    yield from _undeclared(skill)


def _undeclared(skill: Skill) -> Iterator[str]:
    """Templates that use other variables than those that there are."""
    import jinja2
    from jinja2 import meta

    for path in sorted([*skill.folder.rglob("*.j2"), *skill.folder.parent.glob("*.j2")]):
        try:
            used = meta.find_undeclared_variables(jinja2.Environment(autoescape=False).parse(_text(path)))  # noqa: S701 - no HTML
        except jinja2.TemplateSyntaxError as error:
            yield f"{path}:{error.lineno}: {error.message}"
            continue
        for name in sorted(used - set(VARIABLES)):
            yield f"{path}: uses {name!r}; templates may use {', '.join(VARIABLES)}"
