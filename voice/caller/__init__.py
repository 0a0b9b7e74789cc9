"""A caller of our own: one outgoing call over real SIP and RTP, for the test call and for tests."""

from voice.caller.caller import Caller
from voice.caller.errors import CallFailed

__all__ = ["CallFailed", "Caller"]
