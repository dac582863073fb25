"""campaign.yaml: every key documented, every mistake named with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from workflow.commands.campaign import embedded
from workflow.config import CampaignConfig, load, parse
from workflow.errors import ConfigError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "campaign.md"


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of the file with its default, as the page writes it."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield prefix + name, ""
            yield from fields(info.annotation, f"{prefix}{name}.")
        else:
            default = info.get_default(call_default_factory=True, validated_data={})
            words = {None: "null", True: "true", False: "false"}
            yield prefix + name, f"`{words[default] if default is None or isinstance(default, bool) else default}`"


def test_the_page_names_every_key_and_its_default() -> None:
    """docs/campaign.md and the model cannot drift apart."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) ?\| ", DOCS.read_text(), flags=re.M)
    assert [(name, default.strip()) for name, default in rows if name] == sorted(
        fields(CampaignConfig), key=lambda item: [name for name, _ in rows].index(item[0])
    )


def test_the_shipped_file_is_valid_and_small() -> None:
    """Fix budget 0, three launches a leg, both pools given to both legs."""
    config = load(embedded())
    assert (config.auditor_max_fix, config.auditor_max_remeasure, config.measure.launches) == (0, 0, 3)
    assert config.flags == {"cb_num_blocks": 64, "cb_max_batch_tokens": 128} and config.max_candidates <= 4


def test_an_empty_file_is_the_default_campaign() -> None:
    """Every key has a default."""
    assert parse("", "c.yaml") == CampaignConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noise_bnd_pct: 3", r"c\.yaml:1: unknown key 'noise_bnd_pct'"),
        ("alpha: 0.05\nworkload:\n  concurency: 2", r"c\.yaml:3: unknown key 'workload\.concurency'"),
        ("max_candidates: many", r"max_candidates.*many"),
        ("max_candidates: true", "max_candidates"),
        ("alpha: .nan", "alpha"),
        ("alpha: 1.5", "alpha"),
        ("engine: warp", "engine"),
        ("workload: {concurrency: 8, requests_per_repeat: 8}", "at least twice concurrency"),
        ("alpha: 0.05\nalpha: 0.5", "stands twice"),
        ("1: 2", "not text"),
        ("[1, 2]", "keys and values"),
        ("a: [", r"c\.yaml:\d+: not valid YAML"),
        ("flags: {dtype: [1]}", "flags"),
        ("x: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_mistakes_are_named(text: str, said: str) -> None:
    """One clear error with file, line or key, and a next step."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse(text, "c.yaml")
    assert caught.value.next_step and caught.value.exit_code == 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, not text, far too large."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_text("#" * 300_000)
    for name in ("missing", ".", "binary", "huge"):
        with pytest.raises(ConfigError):
            load(tmp_path / name)


def test_the_error_budget_is_split_over_every_look() -> None:
    """alpha / (candidates x (1 + fixes))."""
    assert CampaignConfig(alpha=0.05, max_candidates=4, auditor_max_fix=1).alpha_per_look == 0.05 / 8
    assert CampaignConfig(alpha=0.05, max_candidates=0, auditor_max_fix=0).alpha_per_look == 0.05
