"""What the product does, as plain functions: a file per subject, each function its own transaction."""
