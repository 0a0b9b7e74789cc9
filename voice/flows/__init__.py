"""What callers and owners go through, a function a flow; no thread, socket or SQL in them."""
