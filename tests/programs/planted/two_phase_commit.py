"""What has been got wrong in two-phase commit."""

from tests.programs.planted import Bug

COMMITTED = "committed = table(tx=str, durable=True)"
VOTED = "voted = table(tx=Key(str), coordinator=Address, yes=bool, durable=True)"
OUTCOME = "outcome = table(tx=Key(str), commit=bool, durable=True)"
IN_DOUBT = "    outcome(tx, commit) <+ Commit.decision(_, tx, commit, _) & in_doubt(tx, _)\n"

BUGS = [
    Bug(
        "a participant aborts after its yes",
        "two_phase_commit",
        [
            (
                IN_DOUBT,
                IN_DOUBT + "    outcome(tx, False) <+ blocked(tx, _)"
                " & notin(Commit.decision(_, tx, _, _))\n",
            )
        ],
        "torn",
    ),
    Bug(
        "the commit not logged",
        "two_phase_commit",
        [(COMMITTED, "committed = table(tx=str)")],
        "torn",
        seed=44,
    ),
    Bug(
        "the vote not logged",
        "two_phase_commit",
        [(VOTED, VOTED.replace("True", "False"))],
        "voted_twice",
        seed=138,
    ),
    Bug(
        "the outcome not logged",
        "two_phase_commit",
        [(OUTCOME, OUTCOME.replace("True", "False"))],
        "torn",
    ),
    Bug(
        "a majority for all",
        "two_phase_commit",
        [(">= size(Commit.participants)", "> size(Commit.participants) / 2")],
        "torn",
    ),
    Bug(
        "forgotten before it is acknowledged",
        "two_phase_commit",
        [
            (
                "    committed(tx) <- committed(tx) & notin(awaited(tx))\n",
                "    committed(tx) <- committed(tx) & acked(tx, _)\n",
            )
        ],
        "torn",
    ),
]
