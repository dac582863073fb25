"""``countersign model evaluate | train``: the shipped model's card figures, and the model itself, by one command each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from workflow.errors import UsageError
from workflow.startup import check_packages, require


def evaluate_command(model: Path | None, *, as_json: bool) -> int:
    """Measure exact match on held-out prompts and print the card; the exit code: 1 when the shipped model is off its own card."""
    check_packages()
    require("engine")
    from workflow.serving.tiny import TINY_MODEL
    from workflow.serving.tiny.evaluate import main_card, off_card, read_card

    directory = model if model is not None else TINY_MODEL
    if not (directory / "config.json").is_file():
        raise UsageError(f"{directory}: no config.json there, not a model directory", "Give the directory of a trained model.")
    measured = main_card(directory, lambda text: click.echo(text, err=True))
    shipped = directory.resolve() == TINY_MODEL.resolve()
    return report(measured, off_card(measured, read_card()) if shipped else None, as_json=as_json)


def report(measured: dict[str, Any], off: list[str] | None, *, as_json: bool) -> int:
    """Print a measured card and what differs from the shipped one; the exit code. ``off`` is None for a model without a card."""
    if as_json:
        click.echo(json.dumps(measured if off is None else {**measured, "off_card": off}, sort_keys=True))
        return 1 if off else 0
    click.echo(json.dumps(measured, indent=2, sort_keys=True))
    for words in off or []:
        click.echo(f"off the card: {words}", err=True)
    if off is not None and not off:
        click.echo("every figure is as the card says", err=True)
    return 1 if off else 0


def overlap_command(model: Path | None, *, as_json: bool) -> int:
    """Print how many held-out prompts of the card occur among the training prompts; the exit code: 1 unless none does."""
    check_packages()
    if model is not None:
        raise UsageError(f"{model}: --overlap asks about the prompts, not about a model", "Leave the directory out.")
    require("engine")
    from workflow.serving.tiny.evaluate import PER_TASK, overlap

    found = overlap()
    if as_json:
        click.echo(json.dumps({"held_out_prompts": 2 * PER_TASK, "in_training": found}, sort_keys=True))
    else:
        click.echo(f"{found} of the {2 * PER_TASK:,} held-out prompts occur in training")
    return 1 if found else 0


def train_command(out: Path) -> int:
    """Train the tiny model from its seeded corpus into a new directory."""
    check_packages()
    require("engine")
    from workflow.serving.tiny.train import train

    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty", "Give a new directory.")
    train(out)
    click.echo(f"trained: {out}; `countersign model evaluate {out}` measures it")
    return 0
