"""E-mail: what a mail says (facts, words, templates), how it is built (letter), and how it is sent (connection)."""
