"""axe-core finds nothing to complain of, in light and dark, in a real browser. Needs Chromium; skips where there is none."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import axe_core_python
import pytest

from tests.support.reports import hostile, nothing
from workflow.report.page import render_html

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
RUN = """
for (const fold of document.querySelectorAll("details")) fold.open = true;
axe.run().then(found => {
  const said = document.createElement("script");
  said.type = "application/json"; said.id = "axe";
  said.textContent = JSON.stringify({
    rules: found.passes.length,
    wrong: found.violations.map(one => [one.id, one.impact, one.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]),
  });
  document.body.appendChild(said);
});
"""


def _axe(page: str, folder: Path, *more: str) -> dict[str, Any]:
    """What axe-core says of a page that is opened without a network."""
    file = folder / "page.html"
    script = AXE.read_text(encoding="utf-8").replace("</script", "<\\/script")
    file.write_text(page.replace("</body>", f"<script>{script}</script><script>{RUN}</script></body>"), encoding="utf-8")
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--proxy-server=127.0.0.1:9",
        f"--user-data-dir={folder / 'profile'}", "--window-size=1200,900", "--virtual-time-budget=20000", *more, "--dump-dom",
        file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<script type="application/json" id="axe">(.*?)</script>', done.stdout, flags=re.DOTALL)
    assert found, done.stdout[-500:]
    said: dict[str, Any] = json.loads(html.unescape(found[1]))
    return said


@pytest.mark.skipif(CHROMIUM is None, reason="NEEDS CHROMIUM, NOT TESTED HERE")
@pytest.mark.parametrize("name", ["usual", "dark", "narrow", "hostile", "nothing"])
def test_axe_has_nothing_to_say(facts: dict[str, Any], tmp_path: Path, name: str) -> None:
    """Every rule that it ships with, best practices included; folded parts opened."""
    made = {"hostile": hostile, "nothing": nothing}.get(name, dict)(facts)
    more = {"dark": ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"], "narrow": ["--window-size=500,900"]}.get(
        name, []
    )
    found = _axe(render_html(made), tmp_path, *more)
    assert found["wrong"] == [] and found["rules"] > 20


@pytest.mark.skipif(CHROMIUM is None, reason="NEEDS CHROMIUM, NOT TESTED HERE")
def test_axe_sees_what_is_wrong(facts: dict[str, Any], tmp_path: Path) -> None:
    """A page without a language, with pale text and an unnamed picture: each is found, so silence means something."""
    page = render_html(facts).replace('<html lang="en">', "<html>").replace("--muted: #55616b", "--muted: #c0c8d0")
    page = page.replace("</h1>", '</h1><div role="img" class="bar"></div>', 1)
    wrong = {rule for rule, *_ in _axe(page, tmp_path)["wrong"]}
    assert wrong >= {"html-has-lang", "color-contrast", "role-img-alt"}
