"""A small terminal: a pseudo-terminal of a given size, and the screen that its output would leave."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import termios
import threading
import time
from collections.abc import Iterator
from typing import TextIO

_CODE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Terminal:
    """Keeps every byte written to it; ``stream`` is the side that a program writes to."""

    def __init__(self, columns: int, rows: int) -> None:
        self._master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.stream: TextIO = os.fdopen(os.dup(self.slave), "w", encoding="utf-8")
        self._data = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side was closed
            while data := os.read(self._master, 65536):
                self._data += data

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as a person gives it with the mouse."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """End it, and wait until everything that was written has been read."""
        self.stream.close()
        with contextlib.suppress(OSError):
            os.close(self.slave)
        self._reader.join(5)
        os.close(self._master)

    @property
    def text(self) -> str:
        """Everything written so far, codes and all."""
        return self._data.decode("utf-8", "replace")

    def wait_for(self, words: str, seconds: float = 10.0) -> str:
        """Everything written once these words are in it."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, f"{words!r} never came: {self.text!r}"
            time.sleep(0.02)
        return self.text


@contextlib.contextmanager
def terminal(columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """A terminal that is closed at the end."""
    made = Terminal(columns, rows)
    try:
        yield made
    finally:
        made.close()


class Screen:
    """What a terminal without end shows after some output: lines, and whether the cursor can be seen."""

    def __init__(self, output: str) -> None:
        self.lines = [""]
        self.cursor = True
        self._row = self._column = 0
        at = 0
        while at < len(output):
            code = _CODE.match(output, at)
            if code:
                self._obey(code[1], code[2], code[3])
                at = code.end()
            else:
                self._put(output[at])
                at += 1
        while self.lines and not self.lines[-1].strip():
            self.lines.pop()

    def _put(self, char: str) -> None:
        if char == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append("")
        elif char == "\r":
            self._column = 0
        else:
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + char + line[self._column + 1 :]
            self._column += 1

    def _obey(self, private: str, numbers: str, letter: str) -> None:
        if private:
            self.cursor = letter == "h" if numbers == "25" else self.cursor
        elif letter == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif letter == "K":
            assert numbers == "2", f"erases with {numbers!r}, which this screen does not know"
            self.lines[self._row] = ""
        else:
            assert letter == "m", f"a code that this screen does not know: {numbers}{letter}"
