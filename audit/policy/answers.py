"""What recorded answers are read by: probe files, correctness, measures of text, the second reader."""

from __future__ import annotations

from msgspec import Struct


class ProbeFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """How probes of correctness are named and what their keys are called (``audit/intake/probes.py``)."""

    folders: list[str]
    """Folders below the known ones in which probes lie."""
    names: list[str]
    """Beginnings of file names that announce a probe, whatever the file holds."""
    ref_words: list[str]
    cand_words: list[str]
    repeat_words: list[str]
    status_keys: list[str]
    put_off: list[str]
    """Words under a status key by which a probe was not run."""
    protocol: list[str]
    """Keys of an accuracy summary that must be the same in both legs."""
    stop_keys: list[str]
    token_keys: list[str]
    same_server: list[str]
    """Keys that name one server: two legs with the same value were probed on one."""
    launch_keys: list[str]
    model_keys: list[str]
    port_keys: list[str]
    url_keys: list[str]
    loopback: list[str]
    """Addresses that lead to one's own machine alone."""
    local_hosts: list[str]
    """Addresses that a client on the server's machine may use."""
    rounding: float
    """Largest rounding of ``exact_match`` in a summary."""


class Correctness(Struct, frozen=True, forbid_unknown_fields=True):
    """Share of known answers the reference must give; percentage points lost and McNemar p that fail."""

    floor: float
    loss_points: float
    p: float
    accuracy_floor: float
    """Task accuracy below which a reference answers nothing."""
    margin_points: float
    confidence: float
    """A graded task clears a candidate when the upper bound of its loss, at this confidence, stays within the margin."""
    power: float
    """Chance with which a loss "would be seen"."""
    flip_share: float
    """Share of items that change sides, accuracy equal, from which that is told."""
    parity_min: int
    """Answers from which byte parity counts."""
    longer: float
    """Mean length of the candidate's answers over the reference's from which they are inflated."""
    cut_share: float
    """Share of graded questions cut off at a length limit from which the task measures the limit."""
    near_limit: float
    """Length of an answer that ended by itself over one that was cut, from which other words may have met the limit."""
    no_effect: list[str]
    """Keys that cannot change what a model answers."""
    probes: ProbeFiles


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a text a damaged one (``audit/text.py``); rates of error in ``proof/coherence``. Lengths in characters."""

    max_texts: int
    """Texts of a set that are read, from the first."""
    sample_chars: int
    """Of a longer text, scripts and words are read in its first and last half of so many."""
    min_chars: int
    min_texts: int
    min_total_chars: int
    incoherent_share: float
    min_bad: int
    """Texts with faults, as a share and at least, from which a set is incoherent."""
    fault_rate: float
    """Chance with which a sound answer shows a fault that the other leg's does not: the upper bound, at 99 %, of none in 478."""
    strange_words: int
    strange_share: float
    """Words of the shorter answer, and the share of them in the other's, below which two answers have nothing in common."""
    loop_probe: int
    loop_tries: int
    loop_copies: int
    loop_chars: int
    loop_share: float
    """Copies, characters and share of the text that an exact repetition at the end must have."""
    stutter_share: float
    """Share of the text in pieces that stand four times in a row."""
    window_chars: int
    window_min: int
    windows: int
    window_distinct: float
    repeating_share: float
    """Windows: share of different grams below which one repeats itself; share of such windows that is a near-loop."""
    trigram_words: int
    distinct_trigrams: float
    compress_chars: int
    compressed: float
    min_words: int
    lost_min: int
    lost_share: float
    script_share: float
    scripts: int
    glued_min: int
    glued_share: float
    marks_share: float
    prose_marks: float
    """Marks up to which a text is taken for prose, which has small words."""
    code_marks: float
    """Marks from which brackets are expected to close."""
    brackets_min: int
    brackets_share: float
    entropy_chars: int
    char_entropy: float
    odd_min_words: int
    odd_words: float
    consonants: int
    vowels: int
    word_chars: int
    word_turns: int
    run_together: float
    """Letters of a word, and changes between letters and digits in it, that no one writes; share of such text."""
    function_words_min: int
    function_share: float
    padding_marks: int
    end_marks: list[str]
    thought: list[tuple[str, str]]
    common_han: str
    function_words: dict[str, str]


class Judging(Struct, frozen=True, forbid_unknown_fields=True):
    """What a second reader is shown (lines, characters of each), how much it must quote, how much of it is quoted."""

    excerpts: int
    excerpt_chars: int
    quote_chars: int
    reason_chars: int
