"""Errors of the workflow: one class per thing the caller can do about it, each with a code and a next step."""

from __future__ import annotations


class CountersignError(Exception):
    """Root of every error that is shown to a user without a traceback.

    ``code`` is stable and greppable, ``exit_code`` is what the command returns, ``next_step`` says what to do.
    """

    code = "CS000"
    exit_code = 1

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class UsageError(CountersignError):
    """The command line or a path given to it is wrong."""

    code = "CS001"
    exit_code = 2


class ConfigError(CountersignError):
    """campaign.yaml asks for something that does not exist or cannot be measured."""

    code = "CS002"
    exit_code = 2


class InstallError(CountersignError):
    """A package is missing, or a foreign distribution shadows one of ours."""

    code = "CS003"
    exit_code = 1


class OwnedError(CountersignError):
    """Another process runs this campaign."""

    code = "CS004"
    exit_code = 1


class InfrastructureError(CountersignError):
    """The machine, the reference server or the disk failed: nobody's candidate is to blame. Resume goes on."""

    code = "CS005"
    exit_code = 1


class EvidenceError(CountersignError):
    """Something sealed or ledgered no longer matches its digest."""

    code = "CS006"
    exit_code = 5


class InterruptedCampaignError(CountersignError):
    """Ctrl-C, or a signal that asks to end: the running launch was aborted, what was sealed is safe."""

    code = "CS008"
    exit_code = 130


class WorkerFailedError(CountersignError):
    """A job in the sandbox (a profile, a compilation, an isolated benchmark) died, hung, or said what cannot be read."""

    code = "CS009"


class ServerFailedError(CountersignError):
    """One server died, hung or refused while starting, under load or at its stop.

    ``phase`` is ``start``, ``load`` or ``stop``; ``reason`` one word for machines; ``detail`` the words of the log.
    Whose failure it is (reference: infrastructure; candidate: the candidate's) is decided by the caller.
    """

    code = "CS007"

    def __init__(self, phase: str, reason: str, detail: str) -> None:
        super().__init__(f"the server failed in phase {phase} ({reason}): {detail}")
        self.phase, self.reason, self.detail = phase, reason, detail
