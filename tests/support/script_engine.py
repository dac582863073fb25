"""An engine whose server is a small script: the real driver, sandbox and client run against servers that misbehave on cue."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.measure.prompts import TokenCounter
from workflow.serving.base import Effective, Engine, Lever, Scalar, ServerView

SERVER = r"""
import http.server, json, os, signal, sys, threading, time
port, mode = int(sys.argv[1]), sys.argv[2]
served = 0
if mode == "dies_at_start":
    print("cannot load the model", flush=True); sys.exit(3)
if mode == "hangs_at_start":
    time.sleep(600)
if mode == "hangs_at_stop":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

if mode == "leaves_a_child" and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        global served
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        served += 1
        if mode == "dies_in_the_middle" and served > 12:
            print("segmentation fault", flush=True); os._exit(139)
        if mode == "hangs_in_the_middle" and served > 12:
            time.sleep(600)
        if mode == "refuses":
            self.send_response(422); self.end_headers(); self.wfile.write(b"unknown field"); return
        self.send_response(200); self.end_headers()
        for word in body["answer"]:
            time.sleep(0.002); self.event({"choices": [{"delta": {"content": word}}]})
        usage = {"prompt_tokens": body["tokens_in"], "completion_tokens": len(body["answer"])}
        self.event({"choices": [{"delta": {}, "finish_reason": "length"}], "usage": usage})
    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")

http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


class ScriptEngine(Engine):
    """Answers every prompt with eight one-digit tokens; ``mode`` says how the server misbehaves."""

    name = "script"
    levers: tuple[Lever, ...] = ()
    env_allowed: frozenset[str] = frozenset()
    flag_values: Mapping[str, tuple[type, ...]] = {"mode": (str,)}
    health_path = "/"
    chat_path = "/chat"

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def version(self) -> str:
        """A fixed version."""
        return "1"

    def argv(self, flags: Mapping[str, Scalar], model: Path, port: int) -> list[str]:
        """The script with its port and mode."""
        return [sys.executable, "-c", SERVER, str(port), str(flags.get("mode", "fine"))]

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Next to nothing."""
        return {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **env}

    def request_body(self, model: Path, prompt: str, output_len: int) -> dict[str, Any]:
        """The answer travels with the request; the script only spells it out."""
        return {"answer": list("12345678"), "tokens_in": self._counter.chat(prompt)}

    def effective(self, view: ServerView) -> Effective:
        """The mode from the command line."""
        return Effective({"mode": view.cmdline[-1], "model": "none"}, {"mode": "cmdline", "model": "cmdline"})

    def fatal(self, line: str) -> str | None:
        """See ``Engine.fatal``."""
        return "crash" if "segmentation fault" in line else None
