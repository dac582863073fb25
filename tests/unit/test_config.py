"""campaign.yaml: every key documented, every mistake named with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from workflow.campaigns.annotated import annotated
from workflow.cli import main
from workflow.commands.campaign import embedded
from workflow.config import CampaignConfig, MeasureConfig, WorkloadConfig, load, parse
from workflow.errors import ConfigError
from workflow.serving import get_engine

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


def test_the_written_file_explains_every_key_and_changes_none() -> None:
    """Each key of the models with a comment right above it; read back it is the default campaign."""
    text = annotated()
    assert parse(text, "campaign.yaml") == CampaignConfig()
    lines = text.splitlines()
    for name, default in fields(CampaignConfig):
        indent, last = "  " * name.count("."), name.rpartition(".")[2]
        at = [number for number, line in enumerate(lines) if line.startswith(f"{indent}{last}:")]
        assert len(at) == 1 and lines[at[0] - 1].startswith(f"{indent}# "), name
        shown = lines[at[0]].partition(":")[2].strip().strip('"')
        assert shown == default.strip("`"), name
    assert all(len(line) <= 100 for line in lines)


def test_every_key_has_a_meaning_with_its_unit() -> None:
    """The docstring below a field is its text everywhere; seconds, minutes and percent are called so."""
    units = {"_s": "econds", "_minutes": "inutes", "_pct": "percent"}
    for model in (CampaignConfig, WorkloadConfig, MeasureConfig):
        for name, info in model.model_fields.items():
            assert info.description, name
            assert all(unit in info.description for end, unit in units.items() if name.endswith(end)), name


def test_the_written_file_shows_what_the_engine_declares() -> None:
    """Every lever, setting and environment key, so that nothing needs to be looked up."""
    engine, text = get_engine("transformers"), annotated()
    for name in (*(item.name for item in engine.levers), *engine.flag_values, *engine.env_allowed):
        assert f"#   {name}" in text, name


def test_init_writes_a_file_that_run_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """campaign.yaml by default; what is there is left alone; the printed next command works."""
    monkeypatch.chdir(tmp_path)
    assert main(["campaign", "init"]) == 0
    assert capsys.readouterr().out.endswith("next: countersign campaign run campaign.yaml --plan-only\n")
    assert main(["campaign", "run", "campaign.yaml", "--plan-only"]) == 0
    Path("campaign.yaml").write_text("mine")
    Path("link").symlink_to("nowhere")
    capsys.readouterr()
    for name in ("campaign.yaml", "link"):
        assert main(["campaign", "init", name]) == 2
        assert "exists already, nothing was written" in capsys.readouterr().err
    assert main(["campaign", "init", "no/such/place.yaml"]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
    assert Path("campaign.yaml").read_text() == "mine" and {path.name for path in Path().iterdir()} == {"campaign.yaml", "link"}


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
    """alpha / ((candidates + overlays) x (1 + fixes)); without a profile no overlay is tried."""
    assert CampaignConfig(alpha=0.05, max_candidates=4, max_overlays=1, auditor_max_fix=1).alpha_per_look == 0.05 / 10
    assert CampaignConfig(alpha=0.05, max_candidates=4, profile=False, auditor_max_fix=1).alpha_per_look == 0.05 / 8
    assert CampaignConfig(alpha=0.05, max_candidates=0, max_overlays=0, auditor_max_fix=0).alpha_per_look == 0.05
