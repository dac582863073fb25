"""Sources that show a trick in many spellings, and honest ones that only look like them."""

from __future__ import annotations

SPELLINGS: dict[str, tuple[str, ...]] = {
    "timer_replaced": (
        """\
import time
vars(time)['perf_counter'] = fake
""",
        """\
import time as t
t.__dict__.update(perf_counter=fake)
""",
        """\
import time
clock = time
clock.monotonic = fake
""",
        """\
import importlib
importlib.import_module('time').perf_counter = fake
""",
        """\
__import__('time').perf_counter = fake
""",
        """\
import torch
cuda = getattr(torch, 'cuda')
cuda.synchronize = fake
""",
        """\
import torch
torch.cuda = fake
""",
        """\
import sys
sys.modules['time'] = fake
""",
        """\
import sys, time
sys.modules['time'].__dict__['time'] = fake
""",
        """\
from time import perf_counter
perf_counter.__code__ = fake.__code__
""",
        """\
import time
globals()['time'].perf_counter = fake
""",
        """\
import time
for time.perf_counter in [fake]: pass
""",
        """\
def test(monkeypatch):
    monkeypatch.setattr('time.perf_counter', fake)
""",
    ),
    "validator_replaced": (
        """\
import sys
sys.modules['torch.testing'].assert_close = fake
""",
        """\
import torch
put = setattr
put(torch, 'all' + 'close', fake)
""",
        """\
import torch
for name in ('allclose', 'isclose'):
    setattr(torch, name, fake)
""",
        """\
import torch, numpy
for module, name in ((torch, 'allclose'), (numpy, 'isclose')):
    setattr(module, name, fake)
""",
        """\
from unittest import mock
mock.patch('torch.allclose', fake).start()
""",
        """\
import torch
from unittest import mock
mock.patch.object(torch, 'allclose', fake).start()
""",
        """\
import torch.testing as checks
object.__setattr__(checks, 'assert_close', fake)
""",
    ),
    "rebind": (
        """\
import importlib
module = importlib.import_module('reference')
module.__dict__['gemm'] = mine
""",
        """\
import reference as slow
other = slow
other.gemm = mine
""",
    ),
    "hidden_code": (
        """\
import marshal, types
run = types.FunctionType(marshal.loads(DATA), globals())
""",
        """\
import zlib
SRC = zlib.decompress(DATA)
exec(SRC)
""",
        """\
import base64
run = exec
run(base64.b64decode(DATA))
""",
        """\
import base64
from torch.utils.cpp_extension import load_inline
m = load_inline('k', cuda_sources=[base64.b64decode(A)])
""",
    ),
    "inherited_reference": (
        """\
from reference import Model
class New(Model): pass
New.__doc__ = 'fast'
""",
        """\
import reference
New = type('New', (reference.Model,), {'__doc__': 'fast'})
""",
        """\
from reference import Model as Base
class New(Base):
    def __init__(self, *args):
        super().__init__(*args)
""",
        """\
from reference import Model
class New(Model):
    def forward(self, a):
        out = super().forward(a)
        return out
""",
        """\
from reference import Model
class Quick: pass
class New(Quick, Model):
    __slots__ = ()
""",
    ),
    "library_wrapper": (
        """\
import torch
def gemm_kernel(a, b):
    with torch.no_grad():
        return torch.mm(a, b)
""",
        """\
def gemm_kernel(a, b):
    return a @ b
""",
        """\
import torch
def gemm_kernel(a, b):
    out = torch.matmul(a, b)
    return out.to(a.dtype)
""",
        """\
import torch
def run(a, b):
    return torch.mm(a, b)
def gemm_kernel(a, b):
    return run(a, b)
""",
        """\
import torch
def gemm_kernel(a, b):
    out = torch.empty(4)
    torch.mm(a, b, out=out)
    return out
""",
        """\
def gemm_kernel(a, b):
    return a.matmul(b)
""",
        """\
import torch.nn.functional as F
class FusedLinear:
    def forward(self, x):
        return F.linear(x, self.w)
""",
    ),
    "fallback": (
        """\
import contextlib
def run(a):
    with contextlib.suppress(Exception):
        return fast(a)
    return slow(a)
""",
        """\
def run(a):
    out = None
    try:
        out = fast(a)
    except RuntimeError:
        pass
    return slow(a) if out is None else out
""",
        """\
def run(a):
    try:
        return fast(a)
    except RuntimeError:
        pass
    return slow(a)
""",
        """\
def run(a):
    try:
        out, ok = fast(a), True
    except Exception:
        ok = False
    if not ok:
        out = slow(a)
    return out
""",
        """\
def run(a, b):
    try:
        out = fast(a, b)
    except RuntimeError:
        out = a @ b
    return out
""",
    ),
}
"""Fact -> sources that show it."""
HONEST = {
    "an attribute of its own, in its dict": """\
class A:
    def f(self, x):
        vars(self)['time'] = x
        self.__dict__.update(a=x)
""",
    "a timer that is used": """\
import time
clock = time.perf_counter
begin = clock()
""",
    "a dict that is filled": """\
import time
times = {}
times['time.perf_counter'] = time.time()
times.update(time=1)
""",
    "a function copied from the source": """\
import types
run = types.FunctionType(other.__code__, globals())
""",
    "a table that is decoded": """\
import base64
TABLE = base64.b64decode(DATA)
show(TABLE)
""",
    "a subclass that computes": """\
from reference import Model
class New(Model):
    def forward(self, a):
        return launch(a)
""",
    "a subclass that prepares": """\
from reference import Model
class New(Model):
    def __init__(self, n):
        super().__init__(n)
        pack(self.w)
""",
    "a subclass with other arguments": """\
from reference import Model
class New(Model):
    def forward(self, a):
        return super().forward(launch(a))
""",
    "a subclass with a mixin": """\
from reference import Model
class Quick:
    def forward(self, a):
        return launch(a)
class New(Quick, Model): pass
""",
    "a subclass filled later": """\
from reference import Model
class New(Model): pass
New.forward = launch
""",
    "a compiled kernel behind a name": """\
import mine_ext
def gemm_kernel(a, b):
    return mine_ext.gemm(a, b)
""",
    "a buffer that a kernel fills": """\
import torch.nn.functional as F
import ext
def gemm_kernel(a):
    out = F.pad(a, (0, 4))
    ext.run(a, out)
    return out
""",
    "an error with a better name": """\
def run(a):
    try:
        return fast(a)
    except Exception as error:
        raise RuntimeError('no kernel') from error
""",
    "a cached table": """\
import json
def tuned(path):
    found = None
    try:
        found = json.load(path)
    except OSError:
        pass
    return search(path) if found is None else found
""",
    "tuning that skips what does not fit": """\
def tune(configs, a):
    times = {}
    for c in configs:
        try:
            times[c] = bench(c, a)
        except RuntimeError:
            continue
    return min(times, key=times.get)
""",
    "once more": """\
def run(a):
    try:
        return fast(a)
    except RuntimeError:
        collect()
    return fast(a)
""",
    "an input in another form": """\
def run(a):
    try:
        check(a)
    except RuntimeError:
        a = ready(a)
    return fast(a)
""",
}
"""What it is -> a source that shows no fact."""
