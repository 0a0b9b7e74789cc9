"""Calls that others program: documents, the verbs they become, requests, and the trace of it all."""
