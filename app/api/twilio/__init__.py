"""The REST calls of programmed calls, in the form in which Twilio's own client asks for them (version 2010-04-01)."""
