"""Every message of the language, whole: tests/golden/language/NAME.py gives NAME.txt.

`BLOOMISH_UPDATE_GOLDEN=1 pytest tests/language/test_messages.py` writes the texts anew; read
the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bloomish.errors import BloomishError
from bloomish.targets import load

GOLDEN = Path(__file__).parent.parent / "golden" / "language"
CASES = sorted(GOLDEN.glob("*.py"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_message(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(BloomishError) as caught:
        load(case.name)
    said = f"{caught.value}\n"
    expected = case.with_suffix(".txt")
    if os.environ.get("BLOOMISH_UPDATE_GOLDEN"):
        expected.write_text(said)
    assert said == expected.read_text()


def test_every_text_has_its_program() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in CASES}
