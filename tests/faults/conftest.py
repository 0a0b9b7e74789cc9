"""Fixtures of the tests that kill, stop and starve processes."""

from tests.peers.fixtures import pytest_runtest_makereport, start_process, start_worker

__all__ = ["pytest_runtest_makereport", "start_process", "start_worker"]
