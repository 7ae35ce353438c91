"""The inference rules, one function each, to be read beside ANALYSIS 4.3 and 4.8.

A refinement excuses something that a transfer rule would hold against the
program.  The transfer rules then take a rule's body from left to right, so to
speak: what each atom is, what their join is, what negation, aggregates, clocks
and choices make of it, and what the head does with the result.
"""

from __future__ import annotations

from bloomish.analysis.rules.body import (
    t1_join,
    t2_negation,
    t3_aggregate,
    t4_threshold,
    t9_cell_sent,
    t10_entanglement,
    t12_choice,
    t13_clock,
)
from bloomish.analysis.rules.head import (
    t5_irreversible,
    t6_accumulate,
    t7_deletion,
    t8_overwrite,
    t11_key_race,
    t14_ordered,
)
from bloomish.analysis.rules.refinements import (
    r1_constant,
    r2_local,
    r3_tombstone,
    r4_once_per_key,
    r5_retry,
    r6_threshold,
    r7_for_all,
    r8_incumbent,
    r9_cell_export,
    r10_even,
    r11_seal,
    r12_same_message,
    r13_assumed,
    r14_contract,
)

REFINEMENTS = (
    r1_constant,
    r3_tombstone,
    r4_once_per_key,
    r5_retry,
    r6_threshold,
    r7_for_all,
    r8_incumbent,
    r9_cell_export,
    r10_even,
    r11_seal,
    r12_same_message,
    r13_assumed,
    r14_contract,
)

TRANSFER = (
    # the body
    t4_threshold,
    t9_cell_sent,
    t13_clock,
    t1_join,
    t10_entanglement,
    t2_negation,
    t3_aggregate,
    t12_choice,
    r2_local,
    # the head
    t5_irreversible,
    t7_deletion,
    t8_overwrite,
    t11_key_race,
    t6_accumulate,
    t14_ordered,
)
