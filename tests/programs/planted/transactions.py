"""What has been got wrong in transactions."""

from tests.programs.planted import Bug

IN_DOUBT = """    settled(ticket, yes_) <+ (
        Transactions.decision(_, _, ticket, yes_) & in_doubt(ticket, _, _)
    )
"""

BUGS = [
    Bug(
        "the vote not logged",
        "transactions",
        [
            (
                "prepared = table(ticket=Key(Ticket), coordinator=Address, parts=Any, "
                "durable=True)",
                "prepared = table(ticket=Key(Ticket), coordinator=Address, parts=Any)",
            )
        ],
        "all_or_nothing",
        seed=15,
    ),
    Bug(
        "a participant aborts after its yes",
        "transactions",
        [
            (
                IN_DOUBT,
                IN_DOUBT + "    settled(ticket, False) <+ (\n"
                "        in_doubt(ticket, _, _) & Transactions.prepare(_, _, low, _, _)"
                " & (low > ticket)\n"
                "        & notin(Transactions.decision(_, _, ticket, _))\n    )\n",
            )
        ],
        "all_or_nothing",
    ),
    Bug(
        "delivered for every word of the commit",
        "transactions",
        [
            (
                "Transactions.decision(_, _, ticket, True) & in_doubt(ticket, _, parts) & each",
                "Transactions.decision(_, _, ticket, True) & prepared(ticket, _, parts) & each",
            )
        ],
        "off",
    ),
    Bug(
        "the commit not logged",
        "transactions",
        [
            (
                "telling = table(ticket=Key(Ticket), parts=Any, durable=True)",
                "telling = table(ticket=Key(Ticket), parts=Any)",
            )
        ],
        "all_or_nothing",
        seed=46,
    ),
    Bug(
        "the answer not logged",
        "transactions",
        [
            (
                "answered = table(submitter=Key(Address), number=Key(int), commit=bool, "
                "durable=True)",
                "answered = table(submitter=Key(Address), number=Key(int), commit=bool)",
            )
        ],
        "moved_twice",
        seed=11,
    ),
    Bug(
        "a lock released before all know",
        "transactions",
        [
            (
                "in_front(node, key, min_(ticket)) <= wants(ticket, node, key)\n",
                "in_front(node, key, min_(ticket)) <= (\n"
                "        wants(ticket, node, key) & queue(ticket, _, _, _, _)\n    )\n",
            ),
        ],
        "overdrawn",
    ),
    Bug(
        "one yes for all",
        "transactions",
        [
            (
                "unanimous(ticket) <= running(ticket) & notin(awaited(ticket, _)) & "
                "notin(rejected(ticket))",
                "unanimous(ticket) <= running(ticket) & yes(ticket, _) & notin(rejected(ticket))",
            )
        ],
        "all_or_nothing",
    ),
    Bug(
        "tickets that begin anew",
        "transactions",
        [
            (
                "    life = table(number=Max(int), durable=True)\n",
                "    life = table(number=Max(int))\n",
            )
        ],
        "all_or_nothing",
        seed=23,
    ),
]
