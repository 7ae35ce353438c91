//! One tick: what arrives and what was staged, the rules to their fixpoint, and
//! what the next tick starts with.  A tick that fails leaves no trace.

use crate::env::{Env, Externals};
use crate::exec::{Fail, Run};
use crate::interner::Interner;
use crate::lattice::{conform, NoCallbacks, Type};
use crate::maintain::{origin_name, Fixpoint, ARRIVAL, FACT, ROSTER, RULES, STAGED, TABLE};
use crate::plan::{FactsPlan, Kind, Plan, TablePlan};
use crate::relation::Relation;
use crate::snapshot::Snapshot;
use crate::values::Word;
use pyo3::prelude::*;
use std::sync::{Arc, Weak};

/// Rows of one relation to take out and to put in at the next tick's start.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Change {
    pub out: Vec<Word>,
    pub new: Vec<Word>,
}

/// All that a node holds between ticks, and the plan it runs.
pub struct Engine {
    pub plan: Arc<Plan>,
    pub interner: Interner,
    pub externals: Arc<Externals>,
    pub relations: Vec<Relation>,
    /// Per arrival plan: rows for the next tick.
    pub arrivals: Vec<Vec<Word>>,
    /// Per send plan: rows to be sent.
    pub queue: Vec<Relation>,
    /// Per table plan.
    pub pending: Vec<Change>,
    /// Per table plan: keys whose rows a tick takes out or puts in and the next may again.
    pub contested: Vec<Vec<Word>>,
    /// Per staged plan: (events, view).
    pub staged: Vec<(Vec<Word>, Change)>,
    pub here: Word,
    pub number: i64,
    pub round: u64,
    pub loaded: bool,
    /// Per relation room for an ephemeral one's rows while a tick is tried.
    spares: Vec<Relation>,
    /// Per relation its last copy for a snapshot.
    pub frozen: Vec<Option<Arc<Relation>>>,
    /// Whose values a sweep must keep.
    pub snapshots: Vec<Weak<Snapshot>>,
    lo: Vec<u32>,
    hi: Vec<u32>,
}

/// Rows by the name of their collection.
pub type Named = Vec<(String, Vec<Vec<Word>>)>;

#[derive(Default)]
pub struct Outcome {
    pub number: i64,
    pub again: bool,
    pub events: Named,
    pub added: Named,
    pub removed: Named,
    /// Per durable table the rows (removed, added).
    pub durable: Vec<(String, Rows, Rows)>,
    pub rows_in: usize,
    pub rows_out: usize,
}

/// What the end of a tick decides, taken over only if all of it succeeds.
struct Next {
    pending: Vec<Change>,
    contested: Vec<Vec<Word>>,
    staged: Vec<(Vec<Word>, Change)>,
    leaving: Vec<Vec<Word>>,
}

impl Engine {
    pub fn new(plan: Plan, interner: Interner, externals: Externals, here: Word) -> Engine {
        let relations: Vec<Relation> = plan
            .relations
            .iter()
            .map(|spec| {
                let sourced = spec.sourced;
                let indexes = spec.indexes.len();
                Relation::new(spec.arity, spec.key, spec.ranked, sourced, indexes)
            })
            .collect();
        let queue = plan
            .sends
            .iter()
            .map(|send| {
                let arity = plan.relations[send.channel].arity;
                Relation::new(arity, arity, false, false, 0)
            })
            .collect();
        let count = relations.len();
        Engine {
            arrivals: vec![Vec::new(); plan.arrivals.len()],
            pending: vec![Change::default(); plan.tables.len()],
            contested: vec![Vec::new(); plan.tables.len()],
            staged: vec![Default::default(); plan.staged.len()],
            plan: Arc::new(plan),
            interner,
            externals: Arc::new(externals),
            queue,
            here,
            number: 0,
            round: 0,
            loaded: false,
            spares: relations.clone(),
            frozen: vec![None; count],
            snapshots: Vec::new(),
            relations,
            lo: vec![0; count],
            hi: vec![0; count],
        }
    }

    /// Takes what has arrived and runs the rules.
    pub fn tick(&mut self, py: Python<'_>, now: f64) -> Run<Outcome> {
        let arrivals: Vec<Vec<Word>> = self.arrivals.iter_mut().map(std::mem::take).collect();
        match self.attempt(py, now, &arrivals) {
            Ok((mut outcome, next)) => {
                for (place, mut rows) in arrivals.into_iter().enumerate() {
                    rows.clear();
                    if rows.capacity() <= 1 << 16 {
                        self.arrivals[place] = rows;
                    }
                }
                outcome.rows_out = self.queue_up(&next.leaving);
                self.pending = next.pending;
                self.contested = next.contested;
                self.staged = next.staged;
                self.number += 1;
                for (relation, spare) in self.relations.iter_mut().zip(&mut self.spares) {
                    relation.commit();
                    spare.clear();
                }
                self.sweep();
                Ok(outcome)
            }
            Err(fail) => {
                self.arrivals = arrivals;
                self.undo();
                Err(fail)
            }
        }
    }

    /// Would a tick with these arrivals fail?
    pub fn probe(&mut self, py: Python<'_>, now: f64, arrivals: &[Vec<Word>]) -> Option<Box<Fail>> {
        let result = self.attempt(py, now, arrivals);
        self.undo();
        result.err()
    }

    fn undo(&mut self) {
        let relations = self.relations.iter_mut().zip(&mut self.spares);
        for (spec, (relation, spare)) in self.plan.relations.iter().zip(relations) {
            if spec.ephemeral && !spec.tracked {
                relation.clear();
                std::mem::swap(relation, spare);
            } else {
                relation.undo();
            }
        }
    }

    fn attempt(
        &mut self,
        py: Python<'_>,
        now: f64,
        arrivals: &[Vec<Word>],
    ) -> Run<(Outcome, Next)> {
        let plan = Arc::clone(&self.plan);
        let externals = Arc::clone(&self.externals);
        let relations = self.relations.iter_mut().zip(&mut self.spares);
        for (spec, (relation, spare)) in plan.relations.iter().zip(relations) {
            if spec.tracked {
                relation.remove_all();
            } else if spec.ephemeral {
                // What the last tick saw comes back if this one fails.
                std::mem::swap(relation, spare);
            }
        }
        let number = self.number + 1;
        let mut run = Fixpoint {
            plan: &plan,
            relations: &mut self.relations,
            env: Env {
                interner: &mut self.interner,
                externals: &externals,
                py,
                here: self.here,
                now,
                tick: number,
            },
            first: number == 1,
            round: self.round,
            lo: std::mem::take(&mut self.lo),
            hi: std::mem::take(&mut self.hi),
        };
        let mut outcome = Outcome { number, ..Outcome::default() };
        let result = run.start(&self.pending, &self.staged, arrivals, self.loaded).and_then(
            |(rows_in, marks)| {
                outcome.rows_in = rows_in;
                run.strata()?;
                run.next(&self.contested, &self.staged, &marks, &mut outcome)
            },
        );
        self.round = run.round;
        (self.lo, self.hi) = (run.lo, run.hi);
        Ok((outcome, result?))
    }

    /// A lattice value from outside in the one form that its column holds.
    pub fn normal(&mut self, word: Word, type_: &Type) -> Option<Word> {
        match type_ {
            Type::Lattice(_) => conform(&mut self.interner, &mut NoCallbacks, word, type_).ok(),
            _ => Some(word),
        }
    }

    /// Queues what leaves; how many different rows that are.
    fn queue_up(&mut self, leaving: &[Vec<Word>]) -> usize {
        let mut count = 0;
        for (rows, queue) in leaving.iter().zip(&mut self.queue) {
            queue.reserve(rows.len() / queue.arity.max(1));
            for row in rows.chunks_exact(queue.arity.max(1)) {
                count += 1;
                // The queue is a set.
                let _ = queue.insert(row, 0);
            }
        }
        count
    }

    /// All standing sends are queued again.
    pub fn resend(&mut self) -> usize {
        let plan = Arc::clone(&self.plan);
        let mut count = 0;
        for (send, queue) in plan.sends.iter().zip(&mut self.queue) {
            let Some(standing) = send.standing else {
                continue;
            };
            for row in self.relations[standing].rows() {
                count += 1;
                let _ = queue.insert(row, 0);
            }
        }
        count
    }

    /// Reclaims values that nothing holds.
    pub fn sweep(&mut self) {
        if !self.interner.wants_sweep() {
            return;
        }
        self.interner.begin_marking();
        self.interner.mark(&[self.here]);
        for relation in self.relations.iter().chain(&self.queue) {
            self.interner.mark(relation.words());
        }
        for rows in self.arrivals.iter().chain(&self.contested) {
            self.interner.mark(rows);
        }
        for change in &self.pending {
            self.interner.mark(&change.out);
            self.interner.mark(&change.new);
        }
        for (events, change) in &self.staged {
            self.interner.mark(events);
            self.interner.mark(&change.out);
            self.interner.mark(&change.new);
        }
        self.mark_snapshots();
        self.interner.sweep();
    }
}

/// Where a durable table's rows stood when the rules began: (rows, removals so far).
type Mark = (u32, usize);

impl Fixpoint<'_, '_> {
    fn start(
        &mut self,
        pending: &[Change],
        staged: &[(Vec<Word>, Change)],
        arrivals: &[Vec<Word>],
        loaded: bool,
    ) -> Run<(usize, Vec<Mark>)> {
        let plan = self.plan;
        let mut marks = Vec::new();
        for (table, change) in plan.tables.iter().zip(pending) {
            self.apply(table.relation, change, TABLE)?;
            let relation = &self.relations[table.relation];
            marks.push((relation.len(), relation.removed_so_far().len()));
        }
        for facts in &plan.facts {
            self.facts(facts, loaded)?;
        }
        let mut rows_in = 0;
        for (spec, rows) in plan.arrivals.iter().zip(arrivals) {
            if !rows.is_empty() {
                rows_in += self.arrive(spec.relation, rows)?;
            }
        }
        for (spec, (events, view)) in plan.staged.iter().zip(staged) {
            if let Some((_, base)) = spec.events {
                let change = Change { out: Vec::new(), new: events.clone() };
                self.apply(base, &change, STAGED)?;
            }
            if let Some((_, base)) = spec.view {
                self.apply(base, view, STAGED)?;
            }
        }
        for (spec, place) in plan.relations.iter().zip(0..) {
            if spec.kind == Kind::Base && (spec.tracked || !spec.ephemeral) {
                self.relations[place].settle();
            }
        }
        Ok((rows_in, marks))
    }

    fn apply(&mut self, head: usize, change: &Change, origin: u32) -> Run<()> {
        let arity = self.plan.relations[head].arity.max(1);
        for row in change.out.chunks_exact(arity) {
            if let Some(id) = self.relations[head].find_exact(row) {
                self.relations[head].remove(id);
            }
        }
        for row in change.new.chunks_exact(arity) {
            self.put(head, row, origin)?;
        }
        Ok(())
    }

    fn facts(&mut self, facts: &FactsPlan, loaded: bool) -> Run<()> {
        let number = self.env.tick;
        let arity = self.plan.relations[facts.relation].arity.max(1);
        let origin = if facts.roster { ROSTER } else { FACT };
        if self.plan.relations[facts.relation].ephemeral {
            if facts.at.is_none_or(|at| at == number) {
                for row in facts.rows.chunks_exact(arity) {
                    self.put(facts.relation, row, origin)?;
                }
            }
            return Ok(());
        }
        match facts.at {
            None if number != 1 || facts.table && facts.durable && loaded => return Ok(()),
            Some(at) if at + 1 == number && !facts.table => {
                // They held at that tick only.
                for row in facts.rows.chunks_exact(arity) {
                    if let Some(id) = self.relations[facts.relation].find_exact(row) {
                        self.relations[facts.relation].remove(id);
                    }
                }
                return Ok(());
            }
            Some(at) if at != number => return Ok(()),
            _ => {}
        }
        for row in facts.rows.chunks_exact(arity) {
            self.put(facts.relation, row, origin)?;
        }
        Ok(())
    }

    /// Arrivals of one collection; how many different rows they are.
    fn arrive(&mut self, head: usize, rows: &[Word]) -> Run<usize> {
        let spec = &self.plan.relations[head];
        let arity = spec.arity.max(1);
        if spec.key == spec.arity {
            let relation = &mut self.relations[head];
            let before = relation.live();
            relation.reserve(rows.len() / arity);
            for row in rows.chunks_exact(arity) {
                // A repeated row is the same row.
                let _ = relation.insert(row, 0);
            }
            return Ok(relation.live() - before);
        }
        let mut distinct = Relation::new(arity, arity, false, false, 0);
        for row in rows.chunks_exact(arity) {
            let _ = distinct.insert(row, 0);
        }
        let mut ids: Vec<u32> = distinct.ids().collect();
        ids.sort_by(|&a, &b| self.env.interner.cmp_rows(distinct.row(a), distinct.row(b)));
        for id in ids {
            self.put(head, distinct.row(id), ARRIVAL)?;
        }
        Ok(distinct.live())
    }

    // ------------------------------------------------------ what comes next

    fn next(
        &mut self,
        contested: &[Vec<Word>],
        staged: &[(Vec<Word>, Change)],
        marks: &[Mark],
        outcome: &mut Outcome,
    ) -> Run<Next> {
        let plan = self.plan;
        let mut next = Next {
            pending: Vec::with_capacity(plan.tables.len()),
            contested: Vec::with_capacity(plan.tables.len()),
            staged: Vec::with_capacity(plan.staged.len()),
            leaving: Vec::with_capacity(plan.sends.len()),
        };
        for (table, contested) in plan.tables.iter().zip(contested) {
            let (change, keys) = self.stage_table(table, contested)?;
            outcome.again |= !change.out.is_empty() || !change.new.is_empty();
            next.pending.push(change);
            next.contested.push(keys);
        }
        for (place, _) in staged.iter().enumerate() {
            let stage = self.stage_rows(place, outcome)?;
            next.staged.push(stage);
        }
        for place in 0..plan.sends.len() {
            let rows = self.leaving(place)?;
            next.leaving.push(rows);
        }
        self.outputs(outcome);
        for ((table, mark), change) in plan.tables.iter().zip(marks).zip(&next.pending) {
            if table.durable {
                self.durable(table, *mark, change, outcome);
            }
        }
        Ok(next)
    }

    /// (what is there - deleted - replaced) + replacing + inserted, where it differs
    /// from what is there.
    fn stage_table(&mut self, table: &TablePlan, contested: &[Word]) -> Run<(Change, Vec<Word>)> {
        let mut change = Change::default();
        let mut keys = Vec::new();
        let sources = || {
            let plus = table.plus.iter().map(|&(relation, _)| relation);
            table.minus.iter().chain(&table.replace).copied().chain(plus)
        };
        let idle =
            contested.is_empty() && sources().all(|source| self.relations[source].is_empty());
        if idle {
            return Ok((change, keys));
        }
        let spec = &self.plan.relations[table.relation];
        let (arity, width) = (spec.arity.max(1), spec.key);
        let mut touched = Relation::new(width, width, false, false, 0);
        for key in contested.chunks_exact(width.max(1)) {
            let _ = touched.insert(&key[..width], 0);
        }
        let mut standing = false;
        for source in sources() {
            let relation = &self.relations[source];
            standing |= self.plan.relations[source].kind == Kind::View && !relation.is_empty();
            for id in relation.added() {
                let _ = touched.insert(&relation.row(id)[..width], 0);
            }
        }
        if standing {
            let relation = &self.relations[table.relation];
            for id in relation.start()..relation.len() {
                let _ = touched.insert(&relation.row(id)[..width], 0);
            }
        }
        for &(source, slot) in &table.plus {
            if let Some(slot) = slot {
                let columns: Vec<u16> = (0..width as u16).collect();
                self.relations[source].ensure_index(slot, &columns);
            }
        }
        for key in touched.rows() {
            let there = self.relations[table.relation].find(key);
            let (new, masked) = self.staged_row(table, key, there)?;
            let old = there.map(|id| self.relations[table.relation].row(id));
            if old != new.as_deref() {
                change.out.extend(old.iter().copied().flatten());
                change.new.extend(new.iter().flatten());
            } else if !masked {
                continue;
            }
            keys.extend_from_slice(key);
            if width == 0 {
                keys.push(self.env.here);
            }
        }
        debug_assert!(change.out.len() % arity == 0);
        Ok((change, keys))
    }

    /// The row of a key that the next tick starts with; and whether something takes out
    /// what something else puts back, so that it shows once that something lapses.
    fn staged_row(
        &mut self,
        table: &TablePlan,
        key: &[Word],
        there: Option<u32>,
    ) -> Run<(Option<Vec<Word>>, bool)> {
        let mut row: Option<(Vec<Word>, u32)> = None;
        let mut masked = false;
        for &replace in &table.replace {
            if let Some(id) = self.relations[replace].find(key) {
                let new = self.relations[replace].row(id).to_vec();
                let origin = self.relations[replace].origin(id);
                masked |= row.is_some();
                row = Some(self.join(table.relation, row, new, origin)?);
            }
        }
        let replaced = row.is_some();
        if let Some(id) = there {
            let old = self.relations[table.relation].row(id);
            let deleted = table.minus.iter().any(|&minus| self.relations[minus].contains(old));
            masked |= deleted;
            if !deleted && !replaced {
                let relation = &self.relations[table.relation];
                let origin = match id < relation.start() {
                    true => TABLE,
                    false => relation.origin(id),
                };
                row = Some((old.to_vec(), origin));
            }
        }
        for &(plus, slot) in &table.plus {
            let rows: Vec<(Vec<Word>, u32)> = match slot {
                None => {
                    let relation = &self.relations[plus];
                    let found = relation.find(key);
                    found
                        .map(|id| (relation.row(id).to_vec(), relation.origin(id)))
                        .into_iter()
                        .collect()
                }
                Some(slot) => self.of_key(plus, slot, key),
            };
            masked |= replaced && !rows.is_empty();
            for (new, origin) in rows {
                row = Some(self.join(table.relation, row, new, origin)?);
            }
        }
        Ok((row.map(|(row, _)| row), masked))
    }

    fn of_key(&self, relation: usize, slot: usize, key: &[Word]) -> Vec<(Vec<Word>, u32)> {
        let relation = &self.relations[relation];
        let ids = relation.rows_of(slot, key).iter().copied();
        ids.filter(|&id| relation.alive(id))
            .map(|id| (relation.row(id).to_vec(), relation.origin(id)))
            .collect()
    }

    /// Two rows of one key as one.
    fn join(
        &mut self,
        head: usize,
        there: Option<(Vec<Word>, u32)>,
        new: Vec<Word>,
        origin: u32,
    ) -> Run<(Vec<Word>, u32)> {
        let Some((mut row, first)) = there else {
            return Ok((new, origin));
        };
        let spec = &self.plan.relations[head];
        if spec.plain.iter().any(|&place| row[place] != new[place]) {
            return Err(self.conflict(head, first, origin, row, new));
        }
        for (place, lattice) in &spec.merges {
            row[*place] = self.env.merge(row[*place], new[*place], lattice).map_err(|reason| {
                Box::new(Fail {
                    origins: vec![origin],
                    rows: vec![(head, new.clone())],
                    message: format!("merging into {}: {reason}", spec.name),
                })
            })?;
        }
        Ok((row, first))
    }

    /// `<+` rows of a collection without memory, for the next tick.
    fn stage_rows(&mut self, place: usize, outcome: &mut Outcome) -> Run<(Vec<Word>, Change)> {
        let spec = &self.plan.staged[place];
        let mut events = Vec::new();
        let mut view = Change::default();
        let bases: Vec<usize> =
            [spec.events, spec.view].into_iter().flatten().map(|(_, base)| base).collect();
        let had = |relations: &[Relation], row: &[Word]| {
            bases.iter().any(|&base| relations[base].contains(row))
        };
        if let Some((source, _)) = spec.events {
            for row in self.relations[source].rows() {
                events.extend_from_slice(row);
                outcome.again |= !had(self.relations, row);
            }
        }
        if let Some((source, _)) = spec.view {
            let relation = &self.relations[source];
            for id in relation.removed() {
                let row = relation.row(id);
                view.out.extend_from_slice(row);
                // An event that is over is no change; what a view takes back is.
                outcome.again |=
                    !spec.events.is_some_and(|(source, _)| self.relations[source].contains(row));
            }
            for id in relation.added() {
                view.new.extend_from_slice(relation.row(id));
                outcome.again |= !had(self.relations, relation.row(id));
            }
        }
        self.check_staged(place, &events, &view)?;
        Ok((events, view))
    }

    /// Rows staged for one key must agree.
    fn check_staged(&mut self, place: usize, events: &[Word], view: &Change) -> Run<()> {
        let spec = &self.plan.staged[place];
        let head = &self.plan.relations[spec.relation];
        if head.plain.is_empty() || events.is_empty() && view.new.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<(Vec<Word>, u32)> = Vec::new();
        for (source, _) in [spec.events, spec.view].into_iter().flatten() {
            let relation = &self.relations[source];
            rows.extend(relation.ids().map(|id| (relation.row(id).to_vec(), relation.origin(id))));
        }
        let mut known = Relation::new(head.arity, head.key, false, true, 0);
        for (row, origin) in rows {
            match known.insert(&row, 0) {
                Ok(id) => known.set_origin(id, origin),
                Err(id) => {
                    let (there, first) = (known.row(id).to_vec(), known.origin(id));
                    self.join(spec.relation, Some((there, first)), row, origin)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of a channel that leave at this tick.
    fn leaving(&mut self, place: usize) -> Run<Vec<Word>> {
        let spec = &self.plan.sends[place];
        let mut rows = Vec::new();
        if let Some(events) = spec.events {
            for row in self.relations[events].rows() {
                rows.extend_from_slice(row);
            }
        }
        let Some(standing) = spec.standing else {
            return Ok(rows);
        };
        let relation = &self.relations[standing];
        let new: Vec<u32> = relation.added().collect();
        if new.is_empty() {
            return Ok(rows);
        }
        let both = !rows.is_empty();
        for id in new {
            let row = self.relations[standing].row(id);
            let known =
                both && spec.events.is_some_and(|events| self.relations[events].contains(row));
            if !known {
                rows.extend_from_slice(row);
            }
        }
        let head = &self.plan.relations[spec.channel];
        if both && !head.merges.is_empty() {
            return self.merge_leaving(spec.channel, &rows);
        }
        Ok(rows)
    }

    /// Lattice values of equal key sent in one tick are merged before they leave.
    fn merge_leaving(&mut self, channel: usize, rows: &[Word]) -> Run<Vec<Word>> {
        let head = &self.plan.relations[channel];
        let mut merged = Relation::new(head.arity, head.key, false, false, 0);
        for row in rows.chunks_exact(head.arity) {
            if let Err(id) = merged.insert(row, 0) {
                let there = merged.row(id).to_vec();
                let (joined, _) = self.join(channel, Some((there, RULES)), row.to_vec(), RULES)?;
                merged.remove(id);
                let _ = merged.insert(&joined, 0);
            }
        }
        Ok(merged.rows().flatten().copied().collect())
    }

    fn outputs(&mut self, outcome: &mut Outcome) {
        for output in &self.plan.outputs {
            if let Some(events) = output.events {
                let rows = self.relations[events].rows().map(<[Word]>::to_vec).collect();
                self.show(&output.name, rows, &mut outcome.events);
            }
            if let Some(view) = output.view {
                let relation = &self.relations[view];
                let added = relation.added().map(|id| relation.row(id).to_vec()).collect();
                let removed = relation.removed().map(|id| relation.row(id).to_vec()).collect();
                self.show(&output.name, added, &mut outcome.added);
                self.show(&output.name, removed, &mut outcome.removed);
            }
        }
    }

    fn show(&self, name: &str, mut rows: Vec<Vec<Word>>, shown: &mut Named) {
        if !rows.is_empty() {
            rows.sort_unstable_by(|a, b| self.env.interner.cmp_rows(a, b));
            shown.push((name.to_string(), rows));
        }
    }

    /// Rows (removed, added) from the last tick's commit to this one's.
    fn durable(&self, table: &TablePlan, mark: Mark, change: &Change, outcome: &mut Outcome) {
        let relation = &self.relations[table.relation];
        let (rows, removals) = mark;
        let mut removed: Vec<Vec<Word>> = relation.removed_so_far()[removals..]
            .iter()
            .map(|&id| relation.row(id).to_vec())
            .collect();
        // A row that was put in at the start and merged into another since is gone, too.
        removed.extend(
            (relation.start()..rows)
                .filter(|&id| !relation.alive(id))
                .map(|id| relation.row(id).to_vec()),
        );
        let mut added: Vec<Vec<Word>> = (rows..relation.len())
            .filter(|&id| relation.alive(id))
            .map(|id| relation.row(id).to_vec())
            .collect();
        if removed.is_empty() && added.is_empty() && change.out.is_empty() && change.new.is_empty()
        {
            return;
        }
        removed.extend(change.out.chunks_exact(relation.arity.max(1)).map(<[Word]>::to_vec));
        added.extend(change.new.chunks_exact(relation.arity.max(1)).map(<[Word]>::to_vec));
        let order = |a: &Vec<Word>, b: &Vec<Word>| self.env.interner.cmp_rows(a, b);
        removed.sort_unstable_by(order);
        added.sort_unstable_by(order);
        let (removed, added) = cancel(removed, added, order);
        if !removed.is_empty() || !added.is_empty() {
            outcome.durable.push((table.name.clone(), removed, added));
        }
    }
}

type Rows = Vec<Vec<Word>>;

/// Rows in both of two sorted lists are in neither.
fn cancel(
    left: Rows,
    right: Rows,
    order: impl Fn(&Vec<Word>, &Vec<Word>) -> std::cmp::Ordering,
) -> (Rows, Rows) {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let mut right = right.into_iter().peekable();
    for row in left {
        while let Some(other) = right.next_if(|other| order(other, &row).is_lt()) {
            two.push(other);
        }
        if right.next_if(|other| order(other, &row).is_eq()).is_none() {
            one.push(row);
        }
    }
    two.extend(right);
    (one, two)
}

/// Who is at fault, as an error names them.
pub fn fault(plan: &Plan, origins: &[u32]) -> String {
    let names: Vec<&str> = origins.iter().map(|&origin| origin_name(plan, origin)).collect();
    names.join(", ")
}
