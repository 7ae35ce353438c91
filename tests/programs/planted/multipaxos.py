"""What has been got wrong in replicated logs."""

from tests.programs.planted import Bug

PROGRAM = "multipaxos"
PROMISED = "promised = table(ballot=Max((int, Address)), durable=True)"
VOTE = "vote = table(slot=Key(int), vote=Lex(Max((int, Address)), Max(Batch)), durable=True)"
EXECUTED = " & notin(executed(command))"
LOST = "    # --- out of the log\n"

BUGS = [
    Bug(
        "the highest vote skipped",
        PROGRAM,
        [("proposal(ballot, slot, best.value()) <+", "proposal(ballot, slot, NO_OP) <+")],
        "torn",
    ),
    Bug("volatile promises", PROGRAM, [(PROMISED, PROMISED.replace("True", "False"))], "torn", 26),
    Bug("volatile votes", PROGRAM, [(VOTE, VOTE.replace("True", "False"))], "torn", seed=68),
    Bug(
        "half for a majority",
        PROGRAM,
        [("> size(MultiPaxos.replicas) / 2", ">= size(MultiPaxos.replicas) // 2")],
        "torn",
    ),
    Bug(
        "equal ballots",
        PROGRAM,
        [("return (ballot[0] + 1, node)", 'return (ballot[0] + 1, "")')],
        "torn",
        seed=42,
    ),
    Bug(
        "a decision taken for an older vote",
        PROGRAM,
        [(" & (cast.version() >= ballot)\n", "\n")],
        "torn",
        seed=148,
    ),
    Bug("sessions not looked at", PROGRAM, [(EXECUTED, "")], "executed_twice"),
    Bug(
        "reads past the log",
        PROGRAM,
        [
            (
                LOST,
                "    Store.reply(client, session, number, True, value) <~ (\n"
                '        Store.request(_, client, session, number, "get", key, _, _, _)\n'
                "        & store(key, value)\n"
                "    )\n" + LOST,
            )
        ],
        "stale",
        seed=1,
    ),
]

BACKING = "backing(ballot, number, {here}) <= Log.leading(ballot) & round_(ballot, number, _)"
CONFIRMED = "confirm(_, ballot, number, leader) & Log.promised(ballot)"
READING_BUGS = [
    Bug(
        "reads backed by whom it has asked",
        PROGRAM,
        [(BACKING, BACKING.replace("{here}", "{replica}") + " & MultiPaxos.replicas(replica)")],
        "stale",
        seed=35,
    ),
    Bug(
        "reads confirmed by who has promised another and hides it",
        PROGRAM,
        [
            (CONFIRMED, "confirm(_, ballot, number, leader)"),
            (
                "confirm(_, ballot, _, leader) & Log.promised(higher) & (higher > ballot)",
                "confirm(_, ballot, _, leader) & Log.promised(higher) & (higher < ballot)",
            ),
        ],
        "stale",
        seed=70,
    ),
    Bug(
        "reads that do not wait for the log",
        PROGRAM,
        [("(first >= slot) & of_round(question)", "of_round(question)")],
        "stale",
        seed=4,
    ),
]
"""To be found where who leads is cut off (`loads.deposed`, `loads.reads`)."""
