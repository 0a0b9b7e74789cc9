"""The owner listens to messages, one after another."""

from __future__ import annotations

from voice.flows.keys import Do
from voice.flows.one_message import OneMessage
from voice.flows.playlist import Playlist
from voice.flows.visit import Visit
from voice.owner import Messages

NONE = {Messages.NEW: "no_new", Messages.SAVED: "no_saved", None: "no_deleted"}


def play_messages(visit: Visit, which: Messages | None) -> None:
    """Play the new or the saved messages, or (None) those that were deleted in this call, until `*` or the last."""
    talk, playlist = visit.talk, Playlist(visit, which)
    if not playlist.place:
        talk.say(NONE[which])
        return
    if which is None:
        talk.say(*talk.speech.deleted(len(visit.deleted)))
    while (message_id := playlist.current) is not None:
        facts = visit.requests.message(visit.mailbox_id, message_id)
        if facts is None or (facts.deleted and message_id not in visit.deleted):
            talk.say("message_gone")
            playlist.drop()
            continue
        does = OneMessage(visit, facts, playlist.place).run()
        if does is Do.MENU:
            return
        if does is Do.NEXT:
            playlist.next()
        elif not playlist.back():
            talk.say("first_message")
        talk.say(*visit.arrivals())
    talk.say("end_of_messages")
