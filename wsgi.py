"""The portal and the API for a WSGI server: `gunicorn wsgi:app`, and for `flask --app wsgi`."""

from __future__ import annotations

import sys

from app import create_app
from app.config import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)
