"""Log lines of the job processes: one line an event, UTC, what came from outside cannot break the line."""

from __future__ import annotations

import logging
import sys
import time


class OneLine(logging.Formatter):
    """UTC time, level, process, logger, text."""

    converter = staticmethod(time.gmtime)

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03dZ %(levelname)s {process} %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class names it
        record.message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.message)
        return super().formatMessage(record)


def set_up_logging(process: str) -> None:
    """Send the log to standard error; whoever runs the process keeps and rotates it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)


def one_line(error: BaseException) -> str:
    """The first line of an error, which is what a log line and a row have room for."""
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
