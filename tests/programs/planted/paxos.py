"""What has been got wrong in Paxos."""

from tests.programs.planted import Bug

PROMISED = "promised = table(instance=Key(str), ballot=Max((int, Address)), durable=True)"

BUGS = [
    Bug(
        "the highest vote skipped",
        "paxos",
        [
            ("best.version() == NEVER", "best.version() >= NEVER"),
            ("best.version() != NEVER", "best.version() < NEVER"),
        ],
        "torn",
    ),
    Bug("volatile promises", "paxos", [(PROMISED, PROMISED.replace("True", "False"))], "torn", 76),
    Bug(
        "half for a majority",
        "paxos",
        [("> size(Paxos.nodes) / 2", ">= size(Paxos.nodes) // 2")],
        "torn",
    ),
    Bug(
        "equal ballots",
        "paxos",
        [("return (ballot[0] + 1, node)", 'return (ballot[0] + 1, "")')],
        "torn",
    ),
    Bug(
        "votes below the promise",
        "paxos",
        [
            (
                "Paxos.accept(_, instance, ballot, _, value) & promised(instance, ballot)\n",
                "Paxos.accept(_, instance, ballot, _, value)\n",
            ),
            (
                "Paxos.accept(_, instance, ballot, leader, value) & promised(instance, ballot)\n",
                "Paxos.accept(_, instance, ballot, leader, value)\n",
            ),
        ],
        "torn",
    ),
    Bug(
        "volatile votes",
        "paxos",
        [
            (
                "vote=Lex(Max((int, Address)), Max(str)), durable=True)",
                "vote=Lex(Max((int, Address)), Max(str)))",
            )
        ],
        "torn",
        seed=68,
    ),
]
