"""SIP: pyVoIP's phone, client, message and call, overridden where they are wrong (docs/sip.md)."""

from voice.sip.call import SipCall
from voice.sip.digest import Credentials
from voice.sip.errors import SipError
from voice.sip.gate import GateRules
from voice.sip.invite import InviteFacts
from voice.sip.lamp import PbxTarget
from voice.sip.message import SipMessage
from voice.sip.phone import Phone
from voice.sip.registrar import Account
from voice.sip.subscriptions import SubscriptionRules, Subscriptions

__all__ = [
    "Account",
    "Credentials",
    "GateRules",
    "InviteFacts",
    "PbxTarget",
    "Phone",
    "SipCall",
    "SipError",
    "SipMessage",
    "SubscriptionRules",
    "Subscriptions",
]
