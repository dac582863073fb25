"""A server that is up already: the embedded one, started by hand, visited by a campaign."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from tests.support.campaigns import ListSink
from workflow.campaign import Services, run
from workflow.config import CampaignConfig, MeasureConfig, WorkloadConfig, parse
from workflow.errors import ConfigError, InfrastructureError
from workflow.measure.attached import answers, served_models
from workflow.measure.building import build_bench
from workflow.measure.processes import free_port
from workflow.serving import get_engine
from workflow.serving.tiny import TINY_MODEL


@pytest.fixture
def server() -> Iterator[str]:
    """Its base URL."""
    engine, port = get_engine("transformers"), free_port(0)
    with tempfile.TemporaryDirectory() as home:
        env = {**engine.environment({}), "HOME": home, "PATH": os.environ["PATH"]}
        started = subprocess.Popen(
            engine.argv({}, TINY_MODEL, port), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        try:
            while time.monotonic() < deadline:
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=1)  # noqa: S310 - a loopback URL of our own
                    break
                except OSError:
                    time.sleep(0.2)
            yield url
            assert started.poll() is None, "the visit ended somebody else's server"
        finally:
            started.terminate()
            started.wait(15)


@pytest.mark.server
def test_a_campaign_visits_a_server(tmp_path: Path, server: str) -> None:
    """It is measured, judged as what is known of it allows, and still there afterwards.

    Answers as long as the model's usual ones: of a few tokens each, nobody could say whether they are text.
    """
    config = CampaignConfig(
        engine="openai",
        server=server,
        served_model=str(TINY_MODEL),
        profile=False,
        use_auditor=True,
        auditor_max_remeasure=0,
        workload=WorkloadConfig(concurrency=2, output_len=32, requests_per_repeat=12, warmup_requests=2),
        measure=MeasureConfig(aa_launches=2, repeats=2, min_repeat_s=0.5),
    )
    done = run(config, Services(time.time, lambda: "visit", build_bench, ListSink()), tmp_path)
    assert (done.banked, done.stopped) == ((), "levers") and [item[:2] for item in done.verdicts] == [("baseline", "FLAG")]
    launch = done.run_dir / "baseline/set_1/launch_000"
    told = json.loads((launch / "server.json").read_bytes())
    assert told["attached"] is True and told["argv"] == [] and told["sandbox"]["kind"] == "none"
    assert told["effective"]["dtype"] == told["effective"]["model_sha256"] == told["engine"]["version"] == "unknown"
    assert told["effective_source"]["dtype"] == "unknown" and told["effective_source"]["model"] == "server"
    rows = [json.loads(line) for line in (launch / "requests.jsonl").read_bytes().splitlines()]
    assert all(row["error"] is None and row["expected"] is None and row["tokens_out"] == row["usage_out"] <= 32 for row in rows)
    (verdict,) = json.loads((done.run_dir / "verdicts.json").read_bytes())
    said = [item["reason"] for item in verdict["findings"] if item["status"] in ("unknown", "flag")]
    assert any("does not tell" in reason and "dtype" in reason for reason in said), said
    assert any("visited, not started" in reason for reason in said), said
    assert "was visited, not started" in done.report.read_text() and not (done.run_dir / "winner").exists()


class Page(BaseHTTPRequestHandler):
    """Answers every question with one text; with a redirect, or a byte every now and then."""

    text = b""
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(302 if self.text == b"redirect" else 200)
        self.send_header("Location", "/v1/elsewhere")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(600 if self.text == b"trickle" else 0):
                self.wfile.write(b" ")
                time.sleep(0.05)
            self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"[]", b'{"data": []}', b'{"data": [{"id": 5}]}', b'{"data": [{"id": "a\\u0007"}]}']
)
def test_what_is_no_such_server_is_a_clear_error(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there, another service, one without a model, one that sends us on, one that never ends."""
    monkeypatch.setattr("workflow.measure.attached.TIMEOUT_S", 0.5)
    begun = time.monotonic()
    with HTTPServer(("127.0.0.1", 0), type("Its", (Page,), {"text": text})) as page:
        thread = Thread(target=page.serve_forever)
        thread.start()
        try:
            with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1") as caught:
                served_models(f"http://127.0.0.1:{page.server_port}")
            assert caught.value.next_step and time.monotonic() - begun < 10
            assert "/v1/elsewhere" not in Page.seen
        finally:
            page.shutdown()
            thread.join()
    with pytest.raises(InfrastructureError):
        served_models(f"http://127.0.0.1:{page.server_port}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("engine: openai", "engine openai needs one"),
        ("server: http://127.0.0.1:1", "belongs to engine openai"),
        ("{engine: openai, server: 'file:///etc/passwd'}", "not a base URL"),
        ("{engine: openai, server: 'http://a/b?c'}", "not a base URL"),
        ("served_model: x", "only with server"),
    ],
)
def test_a_server_belongs_to_its_engine(text: str, says: str) -> None:
    """Refused with the file's name before anything is asked."""
    with pytest.raises(ConfigError, match=says):
        parse(text, "c.yaml")


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://....", "http://a..b:1", "http://127.0.0.1:99999", "http://:", "http://-:0"]
)
def test_an_address_that_is_none_is_a_clear_error(url: str) -> None:
    """Whatever the pattern lets through."""
    assert not answers(url)
    with pytest.raises(InfrastructureError, match="/v1/models"):
        served_models(url)
