"""``countersign model evaluate | train``: the shipped model's card figures, and the model itself, by one command each."""

from __future__ import annotations

import json
from pathlib import Path

import click

from workflow.errors import UsageError
from workflow.startup import check_packages, require


def evaluate_command(model: Path | None, *, as_json: bool) -> int:
    """Measure exact match on held-out prompts and print the card."""
    check_packages()
    require("engine")
    from workflow.serving.tiny import TINY_MODEL
    from workflow.serving.tiny.evaluate import main_card

    directory = model if model is not None else TINY_MODEL
    if not (directory / "config.json").is_file():
        raise UsageError(f"{directory}: no config.json there, not a model directory", "Give the directory of a trained model.")
    card = main_card(directory, lambda text: click.echo(text, err=True))
    click.echo(json.dumps(card, indent=None if as_json else 2, sort_keys=True))
    return 0


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
