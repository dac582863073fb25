"""Sources are read as text and as a syntax tree: what they do, with the line; never run, and none can stop the auditor."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import AuditError
from audit.contract import AuditRequest, Change, Source
from audit.intake import overlays, source
from audit.intake.places import Places
from audit.intake.source import SourceFile
from audit.policy import load
from tests.unit.audit.spellings import HONEST, SPELLINGS

POLICY = load().policy


def examine(text: str | bytes, name: str = "overlay/patch.py") -> SourceFile:
    """The facts of one file."""
    data = textwrap.dedent(text).encode() if isinstance(text, str) else text
    return source.examine(Source(name), data, POLICY)


@dataclass(frozen=True)
class Does:
    """A source, and the facts that it must show: kind and line, nothing else."""

    name: str
    text: str
    facts: tuple[tuple[str, int], ...]
    file: str = "overlay/patch.py"


DOES = (
    Does("a Triton kernel", "import triton\n@triton.jit\ndef k(x): ...\n", (("authored_kernel", 3),)),
    Does("a Triton kernel by another name", "from triton import jit as j\n@j\ndef k(x): ...\n", (("authored_kernel", 3),)),
    Does("a CuTe kernel", "import cutlass.cute as cute\n@cute.kernel\ndef k(x): ...\n", (("authored_kernel", 3),)),
    Does("a TileLang kernel", "import tilelang.language as T\n@T.prim_func\ndef k(x): ...\n", (("authored_kernel", 3),)),
    Does(
        "CUDA in a string",
        "from torch.utils.cpp_extension import load_inline\nm = load_inline('k', cuda_sources=[SRC])\n",
        (("authored_kernel", 2),),
    ),
    Does("an ordinary function", "import torch\ndef f(x):\n    return torch.relu(x)\n", ()),
    Does("a module attribute", "import srv.layers as layers\nlayers.apply = mine\n", (("rebind", 2),)),
    Does("a method of an imported class", "from srv.layers import Linear\nLinear.forward = mine\n", (("rebind", 2),)),
    Does("setattr", "import srv.layers\nsetattr(srv.layers, 'apply', mine)\n", (("rebind", 2),)),
    Does(
        "a module fetched by name",
        "import importlib\nm = importlib.import_module('srv.layers')\nm.apply = mine\n",
        (("rebind", 3),),
    ),
    Does("sys.modules", "import sys\nsys.modules['srv.layers'] = mine\n", (("rebind", 2),)),
    Does("torch.library", "import torch\nlib = torch.library.Library('ns', 'IMPL')\nlib.impl('mm', mine)\n", (("rebind", 3),)),
    Does("an attribute of its own", "class A:\n    def __init__(self, x):\n        self.x = x\n", ()),
    Does("a switch of PyTorch", "import torch\ntorch.backends.cuda.matmul.allow_tf32 = True\n", ()),
    Does("a table in Python", "C = {64: {'BLOCK_M': 64, 'num_warps': 4}}\n", (("tuning_table", 1),)),
    Does("a dict of other things", "C = {'rows': 64, 'cols': 4}\n", ()),
    Does("a backend by environment", "import os\nos.environ['VLLM_ATTENTION_BACKEND'] = 'TRITON'\n", (("backend_select", 2),)),
    Does("a serving setting", "args.mem_fraction_static = 0.9\n", (("serving_setting", 1),)),
    Does("a serving setting in a list of flags", "cmd = ['--max-running-requests', '512']\n", (("serving_setting", 1),)),
    Does(
        "a serving setting handed on",
        "class A:\n    def __init__(self, max_num_seqs):\n        self.max_num_seqs = max_num_seqs\n",
        (),
    ),
    Does("a serving setting only mentioned", "if '--max-num-seqs' in text: print(text)\n", ()),
    Does("a graph", "import torch\ng = torch.cuda.CUDAGraph()\n", (("graph_replay", 2),)),
    Does("graphs through compile", "import torch\nf = torch.compile(f, mode='reduce-overhead')\n", (("graph_replay", 2),)),
    Does("compile alone", "import torch\nf = torch.compile(f)\n", ()),
    Does(
        "a silent fallback",
        "def f(x):\n    try:\n        return fast(x)\n    except Exception:\n        return slow(x)\n",
        (("fallback", 5),),
    ),
    Does(
        "an error told and raised",
        "def f(x):\n    try:\n        return fast(x)\n    except Exception:\n        log(x)\n        raise\n",
        (),
    ),
    Does("an optional import", "try:\n    import triton\nexcept ImportError:\n    triton = None\n", ()),
    Does("exec", "exec(text)\n", (("dynamic_code", 1),)),
    Does("exec of what is decoded", "import base64\nexec(base64.b64decode(text))\n", (("hidden_code", 2),)),
    Does("an assembled name", "getattr(torch, 'all' + 'close')\n", (("hidden_code", 1),)),
    Does("a name that is a variable", "getattr(config, name)\n", ()),
    Does("eval of a module", "model.eval()\n", ()),
    Does("a CUDA file", "#include <x>\n__global__ void k() {}\n", (("authored_kernel", 2),), "overlay/k.cu"),
    Does("a header without a kernel", "int f();\n", (), "overlay/k.h"),
    Does("a table in JSON", '{"64": {"BLOCK_SIZE_M": 64,\n "num_warps": 4}}', (("tuning_table", 1),), "overlay/E=8.json"),
    Does("other JSON", '{"rows": 1, "cols": 2}', (), "overlay/a.json"),
    Does("a table in CSV", "M,N,K,kernelName,splitK\n1,2,3,a,1\n", (("tuning_table", 1),), "overlay/tuned.csv"),
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SPELLINGS.items() for text in texts])
def test_a_trick_is_seen_however_it_is_written(kind: str, text: str) -> None:
    """Aliases, modules fetched by name, dicts of names, helpers and variables are followed."""
    found = examine(text)
    assert found.problem is None
    assert kind in {fact.kind for fact in found.facts}


@pytest.mark.parametrize("name", HONEST)
def test_what_only_looks_like_a_trick_is_none(name: str) -> None:
    """Ordinary code with the same words shows no fact."""
    assert examine(HONEST[name]).facts == ()


@pytest.mark.parametrize("case", DOES, ids=lambda case: case.name)
def test_what_a_source_does(case: Does) -> None:
    """Each trait with its line, and no other."""
    found = examine(case.text, case.file)
    assert found.problem is None
    assert tuple((fact.kind, fact.line) for fact in found.facts) == case.facts


@pytest.mark.parametrize(
    ("text", "empty"),
    [
        ("", True),
        ('"""Doc."""\n', True),
        ("# a\n\n# b\n", True),
        ("pass\n...\n", True),
        ("import torch\n", False),
        ("x = 1\n", False),
    ],
)
def test_a_patch_without_a_line_that_does_anything_is_empty(text: str, empty: bool) -> None:
    """Comments, texts and white space do nothing."""
    assert examine(text).empty is empty
    assert examine("/* a\n b */\n// c\n", "k.cu").empty
    assert not examine("// c\n#define A 1\n", "k.cu").empty


HOSTILE = {
    "deep brackets": b"x = " + b"(" * 50_000,
    "deep minus": b"x = " + b"-" * 100_000 + b"1",
    "a sum without end": b"x = " + b"+".join([b"1"] * 60_000),
    "deep attributes": b"x = a" + b".b" * 60_000,
    "deep blocks": b"if 1:\n" + b"".join(b" " * (n + 1) + b"if 1:\n" for n in range(200)),
    "no syntax": b"def f(:",
    "a null byte": b"x = 1\0",
    "not UTF-8": b"\xff\xfe\x00",
    "too many nodes": b"a\n" * 100_000 + b"a\n" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_are_a_problem_and_no_crash(name: str) -> None:
    """What cannot be parsed is told in words."""
    found = examine(HOSTILE[name])
    assert found.problem and not found.facts


def test_escapes_that_warn_are_no_error() -> None:
    """Warnings of the parser are the author's business."""
    assert examine("import re\nre.compile('\\d')\n").problem is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises, whatever the suffix."""
    for name in ("a.py", "a.cu", "a.json", "a.csv"):
        examine(text.encode("utf-8", "surrogatepass"), name)


def places(root: Path, **legs: Path) -> Places:
    """Where the reader looks: the run, and its candidate's folder."""
    return Places(root, root, root / "overlay/cand_gemm" if not legs else legs["cand"].parent, legs)


def request(*paths: str) -> AuditRequest:
    """A patch with these overlay files declared."""
    return AuditRequest("patch", change=Change(overlay=list(paths)) if paths else None)


def test_declared_files_are_read_and_missing_ones_named(tmp_path: Path) -> None:
    """A folder stands for the sources in it; a path out of the run is refused."""
    folder = tmp_path / "overlay/cand_gemm/overlay"
    folder.mkdir(parents=True)
    (folder / "b.py").write_text("import m\nm.f = g\n")
    (folder / "a.json").write_text(json.dumps({"BLOCK_M": 1, "num_warps": 2}))
    (folder / "notes.md").write_text("not a source")
    found = overlays.read(places(tmp_path), request("overlay/cand_gemm/overlay", "overlay/gone.py"), POLICY)
    assert [(trait.kind, trait.source.file, trait.source.line) for trait in found.traits] == [
        ("tuning_table", "overlay/cand_gemm/overlay/a.json", 1), ("rebind", "overlay/cand_gemm/overlay/b.py", 2),
    ]  # fmt: skip
    assert found.missing == ("overlay/gone.py: no such file",)
    assert all(digest for _, digest in found.files) and len(found.files) == 2
    with pytest.raises(AuditError, match="leads out"):
        overlays.read(places(tmp_path), request("../secret.py"), POLICY)


def test_undeclared_files_below_the_candidate_are_found(tmp_path: Path) -> None:
    """In overlay/ beside the legs and as programs in the candidate's folder; rows, claims, other candidates are no sources."""
    pair = tmp_path / "overlay/cand_gemm"
    for name in ("ref", "cand", "overlay"):
        (pair / name).mkdir(parents=True)
    (tmp_path / "overlay/cand_other/overlay").mkdir(parents=True)
    (tmp_path / "overlay/cand_other/overlay/x.py").write_text("import m\nm.f = g\n")
    (pair / "overlay/patch.py").write_text("import m\nm.f = g\n")
    (pair / "integrate_result.json").write_text("{}")
    (pair / "cand/bench_runs.jsonl").write_text("{}\n")
    found = overlays.read(places(tmp_path, ref=pair / "ref", cand=pair / "cand"), request(), POLICY)
    assert [name for name, _ in found.files] == ["overlay/cand_gemm/overlay/patch.py"]


def test_links_devices_and_large_files_are_not_followed(tmp_path: Path) -> None:
    """A link out of the run and a file beyond the limit are listed as unreadable; the rest is read."""
    run = tmp_path / "run"
    folder = run / "overlay"
    folder.mkdir(parents=True)
    (tmp_path / "secret.py").write_text("import m\nm.f = g\n")
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    (folder / "large.py").write_bytes(b"#" * (POLICY.overlays.file_bytes + 1))
    os.mkfifo(folder / "pipe.py")
    (folder / "fine.py").write_text("import m\nm.f = g\n")
    found = overlays.read(Places(run, run, run, {}), request(), POLICY)
    assert [trait.source.file for trait in found.traits] == ["overlay/fine.py"]
    words = "\n".join(found.missing)
    assert "link.py: leads out of the run" in words and "above the limit" in words and "pipe.py: not a regular file" in words


def test_the_third_leg_is_a_folder_beside_the_legs(tmp_path: Path) -> None:
    """``off/`` next to ref/ and cand/, and nothing else."""
    for name in ("ref", "cand", "off"):
        (tmp_path / name).mkdir()
    legs = {"ref": tmp_path / "ref", "cand": tmp_path / "cand"}
    assert overlays.third_leg(legs) == tmp_path / "off"
    assert overlays.third_leg({"ref": tmp_path / "ref"}) is None
    (tmp_path / "off").rmdir()
    assert overlays.third_leg(legs) is None
