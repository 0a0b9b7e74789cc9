"""How each kind of delivery is done: a file each, with one function deliver(claim, settings) -> Outcome."""
