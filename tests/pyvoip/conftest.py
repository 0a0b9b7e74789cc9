"""A phone of ours, for what pyVoIP gets wrong."""

from tests.sip.conftest import desk, loop, peer, phone

__all__ = ["desk", "loop", "peer", "phone"]
