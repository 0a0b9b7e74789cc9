"""The voice worker: answers calls, plays, records, and hands finished takes to the application."""
