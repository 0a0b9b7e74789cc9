"""The calls of the kernel that send and read for many."""

from __future__ import annotations

import pytest

from voice.media.submission import Submission


def test_the_kernel_s_answers_are_told_and_none_are_waited_for(submission: Submission) -> None:
    assert len(submission.run(0, 0, 0)) == 0
    with pytest.raises(OSError, match="io_submit"):
        submission.run(0, 1, 0)
    submission.close()
    submission.close()
    with pytest.raises(OSError, match="closed"):
        submission.run(0, 1, 0)


def test_a_system_without_it_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(OSError, match="not known"):
        Submission(10)
    monkeypatch.undo()
    with pytest.raises(OSError, match="io_setup"):
        Submission(1 << 20)
