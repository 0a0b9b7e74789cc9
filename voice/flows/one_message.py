"""One message: announced, played, and what the owner does with it."""

from __future__ import annotations

from voice.errors import KeeperAway
from voice.flows.forward import forward
from voice.flows.keys import MESSAGE, Do, Key, without
from voice.flows.visit import Visit
from voice.owner import MessageFacts, Sound
from voice.verbs import Listen
from voice.verbs.listen import STEP_MS

KEYS = {key.key: key.does for key in MESSAGE}
CONTROLS = {key.does: key.key for key in MESSAGE}
# Keys that move within it, or none: for any other that was typed ahead nobody waits until a store has sent the audio.
NEED_AUDIO = ("", CONTROLS[Do.BACK], CONTROLS[Do.AHEAD], CONTROLS[Do.PAUSE], CONTROLS[Do.AGAIN])
WHY_NOT = {Sound.AWAY: "message_away", Sound.GONE: "message_gone"}
BYTES_A_MS = 8
OF_A_DELETED_ONE = tuple(
    Key(key.key, key.does, "option_undelete") if key.does is Do.DELETE else key for key in without(MESSAGE, Do.SAVE)
)


class OneMessage:
    """A message while it plays and after it."""

    def __init__(self, visit: Visit, facts: MessageFacts, place: int) -> None:
        self._visit, self._talk, self._facts, self._place = visit, visit.talk, facts, place
        self._deleted = facts.deleted

    def run(self) -> Do:
        """Announce it, play it, and do what is wanted until another one is: NEXT, PREVIOUS or MENU."""
        self._announce()
        does = self._listen()
        while True:
            if does in (Do.NEXT, Do.PREVIOUS, Do.MENU):
                return does
            try:
                done = self._do(does)
            except KeeperAway:
                self._talk.say("unavailable_now")
                done = None
            does = done or self._choose()

    def _announce(self) -> None:
        said = [*self._talk.speech.position(self._place), *(["urgent_message"] if self._facts.urgent else [])]
        self._talk.say(*said, *(self._envelope() if self._visit.opened.envelope else []))

    def _envelope(self) -> list[str]:
        facts, visit, speech = self._facts, self._visit, self._talk.speech
        by = speech.forwarded_by(facts.forwarded_by) if facts.forwarded_by else []
        received = visit.local(facts.received_at)
        return [*by, *speech.envelope(received, visit.now, facts.caller_number, facts.duration)]

    def _choose(self, *before: str) -> Do:
        return self._talk.choose(OF_A_DELETED_ONE if self._deleted else MESSAGE, *before)

    def _listen(self, from_end: bool = False) -> Do:
        """Play it; what is to be done then. Where it cannot be played, it can still be deleted."""
        if self._talk.call.typed_ahead() not in NEED_AUDIO:
            return self._choose()
        try:
            audio = self._visit.requests.audio(self._visit.mailbox_id, self._facts.id)
        except KeeperAway:
            return self._choose("message_away")
        payload = self._talk.sound(audio.path) if audio.sound is Sound.READY else None
        if payload is None:
            return self._choose(WHY_NOT.get(audio.sound, "message_broken"))
        listened = Listen(
            payload,
            back=CONTROLS[Do.BACK],
            ahead=CONTROLS[Do.AHEAD],
            pause=CONTROLS[Do.PAUSE],
            from_ms=max(0, len(payload) // BYTES_A_MS - STEP_MS) if from_end else 0,
            paused=self._talk.payload(["paused"]),
        ).run(self._talk.call)
        if listened.key:
            return KEYS.get(listened.key) or self._choose("invalid_key")
        return self._heard()

    def _heard(self) -> Do:
        """Heard to the end it counts as read, unless it was deleted before."""
        if not self._deleted:
            try:
                if not self._visit.requests.save(self._visit.mailbox_id, self._facts.id):
                    return self._gone()
            except KeeperAway:
                # It stays new, and will be heard again.
                return self._choose("unavailable_now")
        return self._choose()

    def _gone(self) -> Do:
        self._talk.say("message_gone")
        return Do.NEXT

    def _do(self, does: Do) -> Do | None:
        """Do it; what is to be done next, None to ask."""
        if does is Do.AGAIN:
            return self._listen()
        if does is Do.BACK:
            return self._listen(from_end=True)
        if does is Do.ENVELOPE:
            return self._choose(*self._envelope())
        if does is Do.SAVE:
            return self._save()
        if does is Do.DELETE:
            return self._undelete() if self._deleted else self._delete()
        if does is Do.FORWARD:
            forward(self._visit, self._facts)
        return None

    def _save(self) -> Do:
        if self._deleted and (gone := self._undelete()):
            return gone
        if not self._visit.requests.save(self._visit.mailbox_id, self._facts.id):
            return self._gone()
        self._talk.say("saved_now")
        return Do.NEXT

    def _delete(self) -> Do:
        visit, message_id = self._visit, self._facts.id
        if not visit.requests.delete(visit.mailbox_id, message_id):
            return self._gone()
        self._deleted = True
        if message_id not in visit.deleted:
            visit.deleted.append(message_id)
        self._talk.say("deleted_now")
        return Do.NEXT

    def _undelete(self) -> Do | None:
        visit, message_id = self._visit, self._facts.id
        if not visit.requests.undelete(visit.mailbox_id, message_id):
            return self._gone()
        self._deleted = False
        if message_id in visit.deleted:
            visit.deleted.remove(message_id)
        self._talk.say("restored_now")
        return None
