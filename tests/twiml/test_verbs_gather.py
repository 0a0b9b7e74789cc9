"""Gather: keys while nested verbs are heard.

The rules that are quoted are those of docs/twiml.md and of Twilio's pages, in our words.
"""

from __future__ import annotations

import pytest

from tests.twiml.programme import HUNG_UP, WAV, Programme
from tests.twiml.test_verbs_heard import END, wav
from voice.events import Digit, Event, PlaybackDone

ASK = '<Gather action="/next"><Say>Press keys</Say></Gather><Say>Nothing</Say>'


def keys(pressed: str) -> tuple[Event, ...]:
    return tuple(Digit(key) for key in pressed)


@pytest.fixture(autouse=True)
def then(programme: Programme) -> None:
    """Where the action leads to."""
    programme.site.serve("/next", "<Say>Thanks</Say>")


class TestGather:
    def test_keys_are_sent_to_the_action(self, programme: Programme) -> None:
        """The action gets Digits, without the finish key, beside the parameters of every request."""
        programme.call(ASK, on_play={1: keys("1234#")})
        (asked,) = programme.site.of("/next")
        assert (asked.method, asked["Digits"], asked["FinishedOnKey"], asked["msg"]) == (
            "POST", "1234", "#", "Gather End",
        )  # fmt: skip
        assert (asked["CallStatus"], asked["To"]) == ("in-progress", "5551234")
        assert programme.heard == ["Press keys", "Thanks", END]
        assert programme.ledger.outcome("Gather") == "keys 1234, ended by #"

    def test_the_first_key_stops_what_is_heard(self, programme: Programme) -> None:
        """The first key that is pressed stops the nested verbs; those behind are not heard."""
        programme.call(
            '<Gather action="/next"><Say>one</Say><Say>two</Say><Say>three</Say></Gather>',
            on_play={2: keys("5#")},
        )
        assert programme.heard == ["one", "two", "Thanks", END]
        assert programme.stream.stopped == 1
        assert [line.outcome for line in programme.ledger.of("verb") if line.what == "Say"] == [
            "done", "a key ended it", "done",
        ]  # fmt: skip

    def test_keys_typed_ahead_count(self, programme: Programme) -> None:
        """Keys that were pressed before it count, and nothing is said over them."""
        programme.call(ASK, keys="77#")
        assert programme.site.of("/next")[0]["Digits"] == "77"
        assert programme.heard == ["Thanks", END]
        assert programme.speaker.asked == [("Thanks", "en", "")], "what nobody hears is not made"

    def test_nothing_pressed_goes_on_with_the_next_verb(self, programme: Programme) -> None:
        """If the caller presses nothing within the time-out, the next verb runs: no request."""
        programme.call(ASK)
        assert programme.site.of("/next") == []
        assert programme.heard == ["Press keys", "Nothing", END]
        assert programme.ledger.outcome("Gather") == "no key"

    def test_the_finish_key_first_goes_on_with_the_next_verb(self, programme: Programme) -> None:
        """The finish key alone is no result."""
        programme.call(ASK, on_play={1: keys("#")})
        assert programme.site.of("/next") == []
        assert programme.heard == ["Press keys", "Nothing", END]

    def test_a_finish_key_typed_ahead_is_of_the_menu_before(self, programme: Programme) -> None:
        """Who presses 1# where 1 is enough has not answered the next question with nothing."""
        programme.site.serve("/more", '<Gather action="/next"><Say>And now</Say></Gather>')
        programme.call('<Gather numDigits="1" action="/more"/>', keys="1##", on_play={1: keys("7#")})
        assert programme.site.of("/next")[0]["Digits"] == "7"
        assert programme.heard[0] == "And now"

    @pytest.mark.parametrize("pressed", ["", "#"])
    def test_action_on_empty_result(self, programme: Programme, pressed: str) -> None:
        """actionOnEmptyResult: the action is asked all the same, with empty Digits."""
        programme.call(
            '<Gather action="/next" actionOnEmptyResult="true"><Say>Keys</Say></Gather><Say>never</Say>',
            on_play={1: keys(pressed) or (PlaybackDone(1),)},
        )
        (asked,) = programme.site.of("/next")
        assert (asked["Digits"], asked["FinishedOnKey"]) == ("", pressed)
        assert programme.heard == ["Keys", "Thanks", END]

    def test_num_digits(self, programme: Programme) -> None:
        """numDigits: with the last of them the action is asked at once; a key beyond is left for the next Gather."""
        programme.site.serve("/more", '<Gather numDigits="1" action="/next"/>')
        programme.call('<Gather numDigits="3" action="/more"/>', keys="1234")
        assert programme.site.of("/more")[0]["Digits"] == "123"
        assert programme.site.of("/more")[0]["FinishedOnKey"] == ""
        assert programme.site.of("/next")[0]["Digits"] == "4"

    def test_no_limit(self, programme: Programme) -> None:
        """Without numDigits as many are taken as come."""
        programme.call('<Gather action="/next"/>', keys="1" * 300 + "#")
        assert programme.site.of("/next")[0]["Digits"] == "1" * 300

    @pytest.mark.parametrize(
        ("key", "pressed", "digits"), [("*", "12#3*", "12#3"), ("", "1#*2", "1#*2"), ("5", "45", "4")]
    )
    def test_finish_on_key(self, programme: Programme, key: str, pressed: str, digits: str) -> None:
        """finishOnKey: the key that ends it and is not in Digits; empty: only the time-out does."""
        programme.call(f'<Gather action="/next" finishOnKey="{key}"/>', keys=pressed)
        assert programme.site.of("/next")[0]["Digits"] == digits

    def test_timeout_ends_it_after_the_last_key(self, programme: Programme) -> None:
        """timeout: seconds without a key, counted after the nested verbs and anew after each key."""
        programme.call('<Gather action="/next" timeout="1"/>', keys="12")
        assert programme.site.of("/next")[0]["Digits"] == "12"

    def test_the_timer_starts_after_the_nested_verbs(self, programme: Programme) -> None:
        """A long text takes no time from the caller."""
        times: list[float] = []
        call = programme.dialled(on_play={1: (PlaybackDone(1),)})
        programme.site.serve("/voice", '<Gather action="/next" timeout="5"><Say>Long</Say></Gather>')
        take = call.wait

        def wait(timeout: float | None = None) -> Event | None:
            times.append(-1.0 if timeout is None else timeout)
            return take(timeout)

        call.wait = wait  # type: ignore[method-assign]
        programme.run(call)
        assert times.index(-1.0) < next(place for place, time in enumerate(times) if 4.9 < time <= 5.0)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_method(self, programme: Programme, method: str) -> None:
        """method: GET puts the parameters into the query, after what stands there."""
        programme.call(f'<Gather action="/next?a=b%20c" method="{method}" numDigits="1"/>', keys="1")
        (asked,) = programme.site.of("/next")
        assert (asked.method, asked.query["a"], asked["Digits"]) == (method, "b c", "1")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_without_an_action_the_document_is_asked_again(self, programme: Programme, method: str) -> None:
        """action: by default the current document's own URL, without the parameters of the request that got it."""
        programme.script = type(programme.script)(**(vars(programme.script) | {"voice_method": method}))
        programme.site.serve("/voice", '<Gather numDigits="1" method="GET"/>')
        programme.site.serve("/voice", "<Hangup/>")
        programme.call(keys="9")
        first, second = programme.site.of("/voice")
        assert "Digits" not in first
        assert second["Digits"] == "9"
        assert second.query == second.query | {"CallStatus": "in-progress"}

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_without_an_action_after_a_redirect_that_keeps_the_query(self, programme: Programme, method: str) -> None:
        """The parameters that a redirect passed on do not come again either."""
        programme.site.serve("/menu", status=308, headers={"Location": "/menu/?menu=1&Digits=1"}, body=b"")
        programme.site.serve("/menu/", f'<Gather numDigits="1" method="{method}"/>')
        programme.site.serve("/menu/", "<Hangup/>")
        programme.call('<Gather action="/menu" numDigits="1" method="GET"/>', keys="12")
        _, second = programme.site.of("/menu/")
        assert (second.query["menu"], second["Digits"]) == ("1", "2")
        assert programme.ledger.of("request")[-1].what.count("Digits=") == (1 if method == "GET" else 0)

    def test_nested_play_and_pause(self, programme: Programme) -> None:
        """Say, Play and Pause may be nested."""
        programme.site.serve("/a.wav", kind=WAV, body=wav(bytes(3200)))
        programme.call(
            '<Gather action="/next"><Play>/a.wav</Play><Pause length="2"/><Say loop="2">Now</Say></Gather>',
            on_play={5: keys("1#")},
        )
        assert programme.heard[1:] == ["<silence 1>", "<silence 1>", "Now", "Now", "Thanks", END]

    def test_a_nested_verb_without_end_is_ended_by_a_key(self, programme: Programme) -> None:
        """loop 0: until a key."""
        programme.call('<Gather action="/next"><Say loop="0">Music</Say></Gather>', on_play={9: keys("1#")})
        assert programme.heard == ["Music"] * 9 + ["Thanks", END]

    def test_it_answers(self, programme: Programme) -> None:
        """A call is answered at the first verb that is heard, or that hears."""
        programme.call("<Gather/>")
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]

    @pytest.mark.parametrize("pressed", ["", "12"])
    def test_a_hang_up_ends_it(self, programme: Programme, pressed: str) -> None:
        """Who hangs up in it has sent nothing."""
        programme.call(ASK, on_play={1: (*keys(pressed), HUNG_UP)})
        assert programme.site.of("/next") == []
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.outcome("Gather") == "caller hung up"
        assert programme.ledger.statuses[-1] == "completed"

    def test_a_hang_up_while_the_action_is_asked(self, programme: Programme) -> None:
        """The document that it brings is not run."""
        call = programme.dialled()
        programme.site.serve("/voice", '<Gather action="/slow" numDigits="1"/>')
        programme.site.serve("/slow", "<Say>never</Say>", meanwhile=lambda: call.post(HUNG_UP))
        call.post(Digit("1"))
        programme.run(call)
        assert programme.heard == []
        assert programme.ledger.statuses[-1] == "completed"
