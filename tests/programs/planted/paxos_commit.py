"""What has been got wrong in Paxos Commit."""

from tests.programs.planted import Bug

PROGRAM = "paxos_commit"
SAID = "said = table(tx=Key(str), value=str, durable=True)"
WISH = '    Node.wish(tx + "/" + participant, ABORTED) <+ ('

BUGS = [
    Bug(
        "the leader aborts by itself",
        PROGRAM,
        [(WISH, "    outcome(tx, False) <+ (")],
        "settled",
        1,
    ),
    Bug("the vote not logged", PROGRAM, [(SAID, SAID.replace("True", "False"))], "voted_twice", 39),
    Bug(
        "a participant aborts after its yes",
        PROGRAM,
        [
            (
                "    Commit.ack(node, tx, here) <~",
                "    outcome(tx, False) <+ (\n"
                "        in_doubt(tx, _) & Commit.health.suspect(_)\n"
                "        & notin(Commit.decision(_, tx, _, _))\n"
                "    )\n"
                "    Commit.ack(node, tx, here) <~",
            )
        ],
        "torn",
        1,
    ),
]
