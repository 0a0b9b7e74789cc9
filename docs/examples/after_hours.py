"""After hours: 1 says when you are open, 2 where you are, and everybody else may leave a message in mailbox 1001."""

from flask import Flask, request
from twilio.twiml.voice_response import Gather, VoiceResponse

app = Flask(__name__)
ANSWERS = {
    "1": "We are open from nine to five, Monday to Friday.",
    "2": "You find us at 12 Harbour Street, behind the station.",
}


@app.post("/voice")
def voice():
    response = VoiceResponse()
    menu = Gather(num_digits=1, action="/chosen")
    menu.say("Thank you for calling. We are closed at the moment. For our opening hours, press 1. For our address, 2.")
    menu.say("To leave a message, press 0 or stay on the line.")
    response.append(menu)
    response.redirect("/message")
    return str(response)


@app.post("/chosen")
def chosen():
    response = VoiceResponse()
    if request.form["Digits"] == "0":
        response.redirect("/message")
    else:
        response.say(ANSWERS.get(request.form["Digits"], "There is nothing on that key."))
        response.redirect("/voice")
    return str(response)


@app.post("/message")
def message():
    response = VoiceResponse()
    response.add_child("Voicemail", mailbox="1001")
    return str(response)
