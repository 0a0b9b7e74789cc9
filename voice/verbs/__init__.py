"""What a call can be told to do, a file a verb: a frozen dataclass and its run(call)."""

from voice.verbs.gather import Gather, Gathered
from voice.verbs.hangup import Hangup
from voice.verbs.listen import Listen, Listened
from voice.verbs.pause import Pause
from voice.verbs.play import Play
from voice.verbs.record import Record, Recorded
from voice.verbs.reject import Reject
from voice.verbs.say import Say

__all__ = [
    "Gather",
    "Gathered",
    "Hangup",
    "Listen",
    "Listened",
    "Pause",
    "Play",
    "Record",
    "Recorded",
    "Reject",
    "Say",
]
