"""What has been got wrong in seals."""

from tests.programs.planted import Bug

BUGS = [
    Bug(
        "a manifest taken for all items",
        "seal",
        [
            (
                "expected(producer, group, count_) & had(producer, group, count_)",
                "expected(producer, group, _)",
            )
        ],
        "wrong_part",
    ),
    Bug(
        "items after the manifest",
        "seal",
        [(" & notin(closed(group))\n    refused", "\n    refused")],
        "wrong_part",
    ),
    Bug(
        "one for all",
        "seal",
        [
            (
                "complete(group) <= crews(group, _) & notin(awaited(group, _))",
                "complete(group) <= crews(group, _) & sealed(_, group)",
            )
        ],
        "torn",
    ),
    Bug(
        "closing forgotten",
        "seal",
        [("closed = table(group=str, durable=True)", "closed = table(group=str)")],
        "wrong_part",
    ),
]
