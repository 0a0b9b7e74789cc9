"""An appointment line in English and Spanish: the caller chooses a language, then one of the hours that are free."""

from flask import Flask, request
from twilio.twiml.voice_response import VoiceResponse

app = Flask(__name__)
HOURS = {"1": 9, "2": 11, "3": 15}
OFFER = {"en": "For {} o'clock, press {}.", "es": "Para las {} horas, pulse {}."}
BOOKED = {"en": "We expect you at {} o'clock. Goodbye.", "es": "Le esperamos a las {} horas. Adiós."}
taken = {}


@app.post("/voice")
def voice():
    response = VoiceResponse()
    menu = response.gather(num_digits=1, action="/hours")
    menu.say("For English, press 1.", language="en")
    menu.say("Para español, pulse 2.", language="es")
    return str(response)


@app.post("/hours")
def hours():
    language = request.args.get("language") or {"2": "es"}.get(request.form["Digits"], "en")
    response = VoiceResponse()
    menu = response.gather(num_digits=1, action=f"/book?language={language}")
    for key in sorted(HOURS.keys() - taken.keys()):
        menu.say(OFFER[language].format(HOURS[key], key), language=language)
    return str(response)


@app.post("/book")
def book():
    language, key = request.args["language"], request.form["Digits"]
    response = VoiceResponse()
    if key in HOURS and taken.setdefault(key, request.form["From"]) == request.form["From"]:
        response.say(BOOKED[language].format(HOURS[key]), language=language)
    else:
        response.redirect(f"/hours?language={language}")
    return str(response)
