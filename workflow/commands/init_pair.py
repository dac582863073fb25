"""``countersign init-pair``: folders, a request and the commands for an A/B measurement that a person makes by hand."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from workflow.canonical import pretty
from workflow.errors import UsageError

Engine = Literal["vllm", "sglang", "openai"]
EDIT = "EDIT ME"
"""Marks what only the user can fill in."""
PORTS: dict[Engine, int] = {"vllm": 8000, "sglang": 30000, "openai": 8000}
PROMPTS, WARM_PROMPTS, CLIENTS, IN_LEN, OUT_LEN = 200, 32, 16, 1024, 256
"""The load as written: requests a repeat and for the warm-up, requests in flight, tokens in and out."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is to be measured, and how often."""

    engine: Engine
    model: str
    launches: int
    repeats: int

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{PORTS[self.engine]}"

    @property
    def order(self) -> list[tuple[str, int]]:
        """Legs and launches in the order of measuring: A B, B A, A B, so that drift meets both alike."""
        legs = [("ref", "cand") if pair % 2 == 0 else ("cand", "ref") for pair in range(self.launches)]
        return [(leg, pair) for pair, both in enumerate(legs) for leg in both]


def init_pair(directory: Path, design: Design) -> int:
    """Write the folders, ``audit_request.json`` and ``COMMANDS.md``. Raises UsageError unless the directory is new or empty."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory}: not an empty directory, nothing was written", "Name a new one.")
    if not design.model.strip() or not design.model.isprintable():
        raise UsageError(f"--model {design.model!r}: not the name of a model", "Give a name or a path, e.g. Qwen/Qwen3-8B.")
    for leg, pair in design.order:
        (directory / place(leg, pair)).mkdir(parents=True)
    (directory / "audit_request.json").write_bytes(pretty(request(design)))
    (directory / "COMMANDS.md").write_text(commands(design), encoding="utf-8")
    click.echo(f"{directory}: {design.launches} launches a leg, {design.repeats} timed repeats each")
    click.echo(f"next: fill in 'what' and 'change' in {directory / 'audit_request.json'}")
    click.echo(f"      follow {directory / 'COMMANDS.md'}")
    click.echo(f"      countersign audit {shlex.quote(str(directory))}")
    return 0


def place(leg: str, pair: int) -> str:
    """The folder of one launch, relative to the run."""
    return f"{leg}/launch_{pair:03d}"


def request(design: Design) -> dict[str, Any]:
    """The request as it is written: valid, and only ``what`` and ``change`` are left to the user."""
    return {
        "schema": "countersign.request/1",
        "scope": "patch",
        "short_name": "pair",
        "eval_dir": "ref",
        "cand_dir": "cand",
        "what": f"{EDIT}: the claim in one sentence",
        "change": {
            "lever": f"{EDIT}: what was changed, in a word or two",
            "flags": {EDIT: "setting (as the server names it) -> its value in the candidate; {} when none"},
            "env": {},
            "overlay": [],
        },
        "planned": {"launches": design.launches, "repeats": design.repeats},
    }


def serve(design: Design, folder: str) -> str:
    """Start one server in the background, its log in the launch's folder."""
    starts: dict[Engine, str] = {
        "sglang": f'python -m sglang.launch_server --model-path "$MODEL" --port {PORTS["sglang"]} $FLAGS',
        "vllm": f'VLLM_SERVER_DEV_MODE=1 vllm serve "$MODEL" --port {PORTS["vllm"]} $FLAGS',
        "openai": "YOUR-SERVER $FLAGS",
    }
    return f"{starts[design.engine]} > {folder}/server.log 2>&1 &"


def load(design: Design) -> list[str]:
    """The variables at the top: model, client and load, each in one place."""
    shape = f"--dataset-name random --random-input-len {IN_LEN} --random-output-len {OUT_LEN} --max-concurrency {CLIENTS}"
    clients: dict[Engine, str] = {
        "sglang": f"python -m sglang.bench_serving --backend sglang --base-url {design.url} {shape} --random-range-ratio 1.0",
        "vllm": f"vllm bench serve --backend vllm --base-url {design.url} {shape} --random-range-ratio 0.0 --ignore-eos",
        "openai": (
            f"vllm bench serve --backend openai-chat --endpoint /v1/chat/completions --base-url {design.url} {shape} "
            "--random-range-ratio 0.0 --ignore-eos"
        ),
    }
    return [f"MODEL={shlex.quote(design.model)}", f"CLIENT='{clients[design.engine]}'", f"PROMPTS={PROMPTS}"]


def bench(design: Design, folder: str, pair: int, repeat: int | None) -> str:
    """One run of the load; ``repeat`` None is the warm-up, which is kept nowhere.

    Both legs of a pair get the same seeds, and no two runs of a launch do: no server meets a prompt again.
    """
    seed = 1000 * (pair + 1) + (999 if repeat is None else repeat)
    count = WARM_PROMPTS if repeat is None else "$PROMPTS"
    run = f'$CLIENT --model "$MODEL" --num-prompts {count} --seed {seed}'
    if design.engine == "sglang":
        kept = "--output-file /dev/null" if repeat is None else f"--output-file {folder}/bench_runs.jsonl --output-details"
        return f"{run} {kept}"
    if repeat is None:
        return run
    leg, _, launch = folder.partition("/")
    facts = f"leg={leg} launch={launch} repeat={repeat}"
    return (
        f"{run} --save-result --save-detailed --result-dir {folder} --result-filename repeat_{repeat:03d}.json --metadata {facts}"
    )


def captures(design: Design, folder: str) -> list[str]:
    """What the server says of itself, kept beside the rows."""
    if design.engine == "sglang":
        return [f"curl -sf {design.url}/server_info -o {folder}/server_info.json"]
    if design.engine == "vllm":
        return [
            f"curl -sf '{design.url}/server_info?config_format=json' -o {folder}/server_info.json",
            f"curl -sf {design.url}/version -o {folder}/version.json",
        ]
    return [f"curl -sf {design.url}/v1/models -o {folder}/models.json"]


UNKNOWN: dict[Engine, str] = {
    "sglang": """SGLang writes its settings into every row. Not recorded: what else ran on the machine, and in which order.""",
    "vllm": """vLLM's rows hold no server settings: the auditor takes them from `server.log`, so keep it whole. Not recorded:
what else ran on the machine, and in which order.""",
    "openai": """Of this endpoint only the API is known. The rows will hold no server settings and no version, and without its log
nothing shows that the change was in force: `same_conditions` and `engagement` stay unknown, and a verdict rests on what
the request says. Whatever log the server can give, put it into each launch folder as `server.log`.""",
}
HEAD = """# Commands for this pair

Type them in this directory, top to bottom; nothing here was started by Countersign. The legs alternate, every launch is a
fresh server, and the first run on each server is a warm-up that is kept nowhere. Both legs of a pair get the same prompts,
and no server meets a prompt twice.

```bash
REF_FLAGS=''    # EDIT ME: what the reference server is started with
CAND_FLAGS=''   # EDIT ME: the same, and the change
{load}
```

Edit the load here, before the first command, and not again. A launch that went wrong: empty its folder and measure it
again, whole.

{unknown}

"""
TAIL = """## Then

Fill in `what` and `change` in `audit_request.json` (every `EDIT ME`), and ask:

```bash
countersign audit .
```
"""


def commands(design: Design) -> str:
    """``COMMANDS.md``: every command in the order of measuring."""
    parts = [HEAD.format(load="\n".join(load(design)), unknown=UNKNOWN[design.engine])]
    for number, (leg, pair) in enumerate(design.order, start=1):
        folder = place(leg, pair)
        lines = [
            f"FLAGS=${leg.upper()}_FLAGS",
            serve(design, folder),
            "SERVER=$!",
            f"until curl -sf {design.url}/v1/models -o /dev/null; do kill -0 $SERVER || break; sleep 2; done",
            bench(design, folder, pair, None) + "    # warm-up",
            *(bench(design, folder, pair, repeat) for repeat in range(design.repeats)),
            *captures(design, folder),
            "kill $SERVER; wait $SERVER",
        ]
        parts.append(f"## {number}. {folder}\n\n```bash\n" + "\n".join(lines) + "\n```\n\n")
    return "".join(parts) + TAIL
