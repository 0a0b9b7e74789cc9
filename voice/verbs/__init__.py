"""What a call can be told to do, a file a verb: a frozen dataclass and its run(call)."""

from voice.verbs.play import Play
from voice.verbs.record import Record, Recorded

__all__ = ["Play", "Record", "Recorded"]
