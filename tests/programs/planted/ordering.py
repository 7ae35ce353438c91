"""What has been got wrong in ordered logs."""

from tests.programs.planted import Bug

FRESH = """Sequencing.sequencer(here)
        & notin(known(session, number))
"""
SKIPPED = "turn(slot, _, _, _, command) & notin(repeated(slot))"
RESERVED = "reserved = table(number=Max(int), durable=True)"
KEPT = "kept = table(command=Key(Any), number=int, low=int, durable=True)"
SEEN = "seen = table(session=Address, number=int, durable=True)"
NEXT = """(
        ranked(rank, _, command) & base(number) & settled(low)
    )"""

SEQUENCED = [
    Bug(
        "repetitions in the log",
        "ordering",
        [(FRESH, "Sequencing.sequencer(here)\n")],
        "appended_twice",
    ),
    Bug(
        "what was seen forgotten in a crash",
        "ordering",
        [(SEEN, SEEN.replace("True", "False"))],
        "appended_twice",
    ),
    Bug(
        "numbers used twice",
        "ordering",
        [(RESERVED, RESERVED.replace("True", "False"))],
        "settled",
    ),
    Bug(
        "what is kept numbered anew",
        "ordering",
        [(KEPT, KEPT.replace("True", "False"))],
        "appended_twice",
    ),
    Bug(
        "settled too early",
        "ordering",
        [
            (
                "    outstanding(number + rank, low, command) <= " + NEXT,
                "    outstanding(number + rank, number, command) <= " + NEXT,
            )
        ],
        "settled",
    ),
    Bug(
        "stored before it is on disk",
        "ordering",
        [
            (
                "log = table(slot=Key(int), command=Any, durable=True)",
                "log = table(slot=Key(int), command=Any)",
            )
        ],
        "settled",
    ),
    Bug(
        "slots used twice",
        "ordering",
        [("free = table(slot=Max(int), durable=True)", "free = table(slot=Max(int))")],
        "settled",
    ),
]

REPLICATED = [
    Bug(
        "repetitions delivered",
        "ordering",
        [(SKIPPED, "turn(slot, _, _, _, command)")],
        "appended_twice",
    ),
    Bug(
        "what was seen not in the image",
        "ordering",
        [("    log.part((SEEN, session, number)) <= log.imaged(_) & seen(session, number)\n", "")],
        "appended_twice",
    ),
    Bug(
        "what was seen forgotten in a crash",
        "ordering",
        [(SEEN, SEEN.replace("True", "False"))],
        "fork",
    ),
    Bug(
        "accepted by who leads before it is in the log",
        "ordering",
        [
            (
                "    Ordering.accepted(session, number) <~ known(session, number)\n",
                "    Ordering.accepted(session, number) <~ incoming(session, number, _, _)\n",
            )
        ],
        "settled",
    ),
    Bug(
        "proposed once and never again",
        "ordering",
        [("rising(_) & waiting(", "rising(_) & was_ready(_) & waiting(")],
        "settled",
    ),
]
