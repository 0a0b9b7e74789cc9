"""A survey: each question is asked, each answer recorded; /answers lists the recordings, call by call.

It answers only requests that are ours: TWILIO_AUTH_TOKEN has to hold the token that the portal shows under Account.
"""

import os

from flask import Flask, abort, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse

app = Flask(__name__)
validator = RequestValidator(os.environ.get("TWILIO_AUTH_TOKEN", ""))
QUESTIONS = ("How did you hear of us?", "What should we do better?")
answers = {}


@app.post("/voice")
def voice():
    if not validator.validate(request.url, request.form, request.headers.get("X-Twilio-Signature", "")):
        abort(403)
    number = request.args.get("question", 0, int)
    if "RecordingUrl" in request.form:
        answers.setdefault(request.form["CallSid"], []).append(request.form["RecordingUrl"])
    response = VoiceResponse()
    if number < len(QUESTIONS):
        response.say(f"{QUESTIONS[number]} Please speak after the tone, and press a key when you have finished.")
        response.record(action=f"/voice?question={number + 1}", max_length=60)
        response.redirect(f"/voice?question={number + 1}")  # nothing was said
    else:
        response.say("Thank you. Goodbye.")
    return str(response)


@app.get("/answers")
def all_answers():
    return answers
