"""The tables, a file per subject."""

from app.models.alias import Alias
from app.models.base import Base
from app.models.calls import Call, CallStep, Number, Recording, Subscription
from app.models.delivery import Attempt, Delivery
from app.models.event import Event
from app.models.greeting import Greeting, Prompt
from app.models.lamp import Lamp
from app.models.mailbox import Mailbox
from app.models.message import Message
from app.models.user import Audit, EndedSession, Token, User
from app.models.webhook import Lane, Webhook

__all__ = [
    "Alias",
    "Attempt",
    "Audit",
    "Base",
    "Call",
    "CallStep",
    "Delivery",
    "EndedSession",
    "Event",
    "Greeting",
    "Lamp",
    "Lane",
    "Mailbox",
    "Message",
    "Number",
    "Prompt",
    "Recording",
    "Subscription",
    "Token",
    "User",
    "Webhook",
]
