//! One tick: what arrives and what was staged, the rules to their fixpoint, and
//! what the next tick starts with.  A tick that fails leaves no trace.

use crate::agenda::{Agenda, Work};
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
use std::time::{Duration, Instant};

/// Rows of one relation to take out and to put in at the next tick's start.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Change {
    pub out: Vec<Word>,
    pub new: Vec<Word>,
}

impl Change {
    fn is_empty(&self) -> bool {
        self.out.is_empty() && self.new.is_empty()
    }

    fn clear(&mut self) {
        self.out.clear();
        self.new.clear();
    }
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
    /// Ephemeral relations with rows of the last tick.
    pub lapsing: Vec<usize>,
    agenda: Arc<Agenda>,
    work: Work,
    /// What the tick under way decides about the next, taken over only if it succeeds.
    next: Next,
    /// Per table plan, of durable ones.
    nets: Vec<Option<Net>>,
    /// Per send plan what stood when this was last looked at.
    stood: Vec<Relation>,
    /// Per send plan whether rows of several ticks may share a frame: they are a mere set.
    mixing: Vec<bool>,
    /// Per relation its last copy for a snapshot.
    pub frozen: Vec<Option<Arc<Relation>>>,
    /// Whose values a sweep must keep.
    pub snapshots: Vec<Weak<Snapshot>>,
}

/// Rows by the output plan of their collection.
pub type Shown = Vec<(usize, Rows)>;

#[derive(Default)]
pub struct Outcome {
    pub number: i64,
    pub again: bool,
    pub events: Shown,
    pub added: Shown,
    pub removed: Shown,
    pub rows_in: usize,
    pub rows_out: usize,
}

impl Outcome {
    /// Whether it has rows for those who watch.
    pub fn is_shown(&self) -> bool {
        !(self.events.is_empty() && self.added.is_empty() && self.removed.is_empty())
    }
}

/// What became of a durable table in the ticks since it was last asked.
struct Net {
    removed: Relation,
    added: Relation,
}

impl Net {
    fn take_out(&mut self, row: &[Word]) {
        match self.added.find(row) {
            Some(id) => self.added.remove(id),
            None => drop(self.removed.insert(row, 0)),
        }
    }

    fn put_in(&mut self, row: &[Word]) {
        match self.removed.find(row) {
            Some(id) => self.removed.remove(id),
            None => drop(self.added.insert(row, 0)),
        }
    }
}

/// How a run of ticks ended.
#[derive(Default)]
pub struct Series {
    pub ticks: usize,
    pub again: bool,
    /// Ticks with rows for those who watch.
    pub shown: Vec<Outcome>,
    pub rows_in: usize,
    pub rows_out: usize,
}

/// What a tick starts with besides what arrives, as the fields of [`Engine`]; and what leaves.
#[derive(Default)]
struct Next {
    pending: Vec<Change>,
    contested: Vec<Vec<Word>>,
    staged: Vec<(Vec<Word>, Change)>,
    leaving: Vec<Vec<Word>>,
}

impl Next {
    fn new(plan: &Plan) -> Next {
        Next {
            pending: vec![Change::default(); plan.tables.len()],
            contested: vec![Vec::new(); plan.tables.len()],
            staged: vec![Default::default(); plan.staged.len()],
            leaving: vec![Vec::new(); plan.sends.len()],
        }
    }

    fn clear(&mut self) {
        self.pending.iter_mut().for_each(Change::clear);
        self.contested.iter_mut().for_each(Vec::clear);
        for (events, view) in &mut self.staged {
            events.clear();
            view.clear();
        }
        self.leaving.iter_mut().for_each(Vec::clear);
    }
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
        let queue: Vec<Relation> = plan
            .sends
            .iter()
            .map(|send| {
                let arity = plan.relations[send.channel].arity;
                Relation::new(arity, arity, false, false, 0)
            })
            .collect();
        let count = relations.len();
        let nets = plan.tables.iter().map(|table| {
            let arity = plan.relations[table.relation].arity;
            let rows = || Relation::new(arity, arity, false, false, 0);
            table.durable.then(|| Net { removed: rows(), added: rows() })
        });
        let mixing = plan.sends.iter().map(|send| {
            let channel = &plan.relations[send.channel];
            channel.key == channel.arity
        });
        let (nets, mixing) = (nets.collect(), mixing.collect());
        let (agenda, work, next) = (Agenda::new(&plan), Work::new(&plan), Next::new(&plan));
        Engine {
            arrivals: vec![Vec::new(); plan.arrivals.len()],
            pending: vec![Change::default(); plan.tables.len()],
            contested: vec![Vec::new(); plan.tables.len()],
            staged: vec![Default::default(); plan.staged.len()],
            plan: Arc::new(plan),
            interner,
            externals: Arc::new(externals),
            stood: queue.clone(),
            queue,
            here,
            number: 0,
            round: 0,
            loaded: false,
            spares: relations.clone(),
            lapsing: Vec::new(),
            agenda: Arc::new(agenda),
            work,
            next,
            nets,
            mixing,
            frozen: vec![None; count],
            snapshots: Vec::new(),
            relations,
        }
    }

    /// Takes what has arrived and runs the rules.
    pub fn tick(&mut self, py: Python<'_>, now: f64) -> Run<Outcome> {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let result = self.attempt(py, now, &arrivals);
        if result.is_ok() {
            for rows in &mut arrivals {
                match rows.capacity() <= 1 << 16 {
                    true => rows.clear(),
                    false => *rows = Vec::new(),
                }
            }
        }
        self.arrivals = arrivals;
        match result {
            Ok((mut outcome, marks)) => {
                outcome.rows_out = self.queue_up();
                std::mem::swap(&mut self.pending, &mut self.next.pending);
                self.note_durable(&marks);
                std::mem::swap(&mut self.contested, &mut self.next.contested);
                std::mem::swap(&mut self.staged, &mut self.next.staged);
                self.number += 1;
                for place in self.lapsing.drain(..) {
                    self.spares[place].clear();
                }
                for &place in &self.work.changed {
                    self.relations[place].commit();
                    if self.plan.relations[place].ephemeral && !self.relations[place].is_clear() {
                        self.lapsing.push(place);
                    }
                }
                self.sweep();
                Ok(outcome)
            }
            Err(fail) => {
                self.undo();
                Err(fail)
            }
        }
    }

    /// Ticks in a row, at most `limit` and for about `patience`, for as long as each wants
    /// another: not beyond one that sends to this node or sends rows that a later tick's
    /// must not meet in one frame, and not into one that fails (but the first).
    pub fn run(
        &mut self,
        py: Python<'_>,
        now: f64,
        limit: usize,
        patience: Duration,
    ) -> Run<Series> {
        let begun = Instant::now();
        let mut series = Series::default();
        loop {
            let outcome = match self.tick(py, now) {
                Ok(outcome) => outcome,
                Err(_) if series.ticks > 0 => return Ok(series),
                Err(fail) => return Err(fail),
            };
            series.ticks += 1;
            series.again = outcome.again;
            series.rows_in += outcome.rows_in;
            series.rows_out += outcome.rows_out;
            let sealed = outcome.rows_out > 0 && !self.may_mix();
            if outcome.is_shown() {
                series.shown.push(outcome);
            }
            if !series.again || sealed || series.ticks >= limit || begun.elapsed() >= patience {
                return Ok(series);
            }
        }
    }

    /// Whether what the last tick sent may share a frame with what the next one sends.
    fn may_mix(&self) -> bool {
        self.next.leaving.iter().zip(&self.plan.sends).zip(&self.mixing).all(
            |((rows, send), mixing)| {
                let arity = self.plan.relations[send.channel].arity;
                let mut peers = rows.iter().step_by(arity.max(1));
                rows.is_empty() || *mixing && peers.all(|&peer| peer != self.here)
            },
        )
    }

    /// Works what the tick did to durable tables into what is told of them: rows from the
    /// last tick's commit to this one's.
    fn note_durable(&mut self, marks: &[Mark]) {
        for (place, net) in self.nets.iter_mut().enumerate() {
            let (Some(net), table) = (net, &self.plan.tables[place]) else {
                continue;
            };
            let change = &self.pending[place];
            let changed = self.work.has_changed(table.relation);
            if !changed && change.is_empty() {
                continue;
            }
            let relation = &self.relations[table.relation];
            let mark = marks.iter().find(|mark| mark.0 == place);
            let (rows, removals) = mark.map_or((relation.start(), 0), |mark| (mark.1, mark.2));
            let out = relation.removed_so_far()[removals..].iter().copied();
            // A row that was put in at the start and merged into another since is gone, too.
            let merged = (relation.start()..rows).filter(|&id| !relation.alive(id));
            out.chain(merged).for_each(|id| net.take_out(relation.row(id)));
            let new = (rows..relation.len()).filter(|&id| relation.alive(id));
            new.for_each(|id| net.put_in(relation.row(id)));
            let arity = relation.arity.max(1);
            change.out.chunks_exact(arity).for_each(|row| net.take_out(row));
            change.new.chunks_exact(arity).for_each(|row| net.put_in(row));
        }
    }

    /// Per durable table plan the rows (removed, added) since this was last asked.
    pub fn take_durable(&mut self) -> Vec<(usize, Rows, Rows)> {
        let mut found = Vec::new();
        for (place, net) in self.nets.iter_mut().enumerate() {
            let Some(net) = net else {
                continue;
            };
            if net.removed.is_clear() && net.added.is_clear() {
                continue;
            }
            let sorted = |relation: &Relation| {
                let mut rows: Rows = relation.rows().map(<[Word]>::to_vec).collect();
                rows.sort_unstable_by(|a, b| self.interner.cmp_rows(a, b));
                rows
            };
            let (removed, added) = (sorted(&net.removed), sorted(&net.added));
            net.removed.clear();
            net.added.clear();
            if !removed.is_empty() || !added.is_empty() {
                found.push((place, removed, added));
            }
        }
        found
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
    ) -> Run<(Outcome, Vec<Mark>)> {
        let plan = Arc::clone(&self.plan);
        let agenda = Arc::clone(&self.agenda);
        let externals = Arc::clone(&self.externals);
        self.work.begin(&agenda);
        self.next.clear();
        for &place in &self.lapsing {
            let relation = &mut self.relations[place];
            if plan.relations[place].tracked {
                relation.remove_all();
                self.work.change(&agenda, place);
            } else {
                // What the last tick saw comes back if this one fails.
                std::mem::swap(relation, &mut self.spares[place]);
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
            agenda: &agenda,
            work: &mut self.work,
        };
        let mut outcome = Outcome { number, ..Outcome::default() };
        let next = &mut self.next;
        let result = run.start(&self.pending, &self.staged, arrivals, self.loaded).and_then(
            |(rows_in, marks)| {
                outcome.rows_in = rows_in;
                run.strata()?;
                run.next(&self.contested, &self.staged, next, &mut outcome)?;
                Ok(marks)
            },
        );
        self.round = run.round;
        result.map(|marks| (outcome, marks))
    }

    /// A lattice value from outside in the one form that its column holds.
    pub fn normal(&mut self, word: Word, type_: &Type) -> Option<Word> {
        match type_ {
            Type::Lattice(_) => conform(&mut self.interner, &mut NoCallbacks, word, type_).ok(),
            _ => Some(word),
        }
    }

    /// Queues what leaves; how many different rows that are.
    fn queue_up(&mut self) -> usize {
        let mut count = 0;
        for (rows, queue) in self.next.leaving.iter().zip(&mut self.queue) {
            if rows.is_empty() {
                continue;
            }
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

    /// As `resend`, of what stood at the last look already.  Also how many rows stand now.
    pub fn resend_stood(&mut self) -> (usize, usize) {
        let plan = Arc::clone(&self.plan);
        let (mut count, mut standing) = (0, 0);
        for ((send, queue), stood) in plan.sends.iter().zip(&mut self.queue).zip(&mut self.stood) {
            let Some(place) = send.standing else {
                continue;
            };
            let now = &self.relations[place];
            for row in now.rows().filter(|row| stood.find(row).is_some()) {
                count += 1;
                let _ = queue.insert(row, 0);
            }
            stood.clear();
            for row in now.rows() {
                standing += 1;
                let _ = stood.insert(row, 0);
            }
        }
        (count, standing)
    }

    /// No store is open: what becomes of durable tables need not be told.
    pub fn keep_to_itself(&mut self) {
        self.nets.iter_mut().for_each(|net| *net = None);
    }

    /// Reclaims values that nothing holds.
    pub fn sweep(&mut self) {
        if !self.interner.wants_sweep() {
            return;
        }
        self.interner.begin_marking();
        self.interner.mark(&[self.here]);
        for relation in self.relations.iter().chain(&self.queue).chain(&self.stood) {
            self.interner.mark(relation.words());
        }
        for rows in self.arrivals.iter().chain(&self.contested) {
            self.interner.mark(rows);
        }
        for net in self.nets.iter().flatten() {
            self.interner.mark(net.removed.words());
            self.interner.mark(net.added.words());
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

/// Where the rows of a table that something was staged for stood when the rules began:
/// (table plan, rows, removals so far).
type Mark = (usize, u32, usize);

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
        for (place, change) in pending.iter().enumerate().filter(|(_, change)| !change.is_empty()) {
            let table = plan.tables[place].relation;
            self.apply(table, change, TABLE)?;
            let relation = &self.relations[table];
            marks.push((place, relation.len(), relation.removed_so_far().len()));
            self.note(table);
        }
        for facts in &plan.facts {
            self.facts(facts, loaded)?;
            self.note(facts.relation);
        }
        let mut rows_in = 0;
        for (spec, rows) in plan.arrivals.iter().zip(arrivals) {
            if !rows.is_empty() {
                rows_in += self.arrive(spec.relation, rows)?;
                self.note(spec.relation);
            }
        }
        for (spec, (events, view)) in plan.staged.iter().zip(staged) {
            if let (Some((_, base)), false) = (spec.events, events.is_empty()) {
                self.put_all(base, events, STAGED)?;
                self.note(base);
            }
            if let (Some((_, base)), false) = (spec.view, view.is_empty()) {
                self.apply(base, view, STAGED)?;
                self.note(base);
            }
        }
        for &place in &self.work.changed {
            let spec = &plan.relations[place];
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
        self.put_all(head, &change.new, origin)
    }

    fn put_all(&mut self, head: usize, rows: &[Word], origin: u32) -> Run<()> {
        for row in rows.chunks_exact(self.plan.relations[head].arity.max(1)) {
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
        next: &mut Next,
        outcome: &mut Outcome,
    ) -> Run<()> {
        let plan = self.plan;
        for (place, contested) in contested.iter().enumerate() {
            if !contested.is_empty() || self.work.is_table_due(place) {
                let (change, keys) = self.stage_table(&plan.tables[place], contested)?;
                outcome.again |= !change.is_empty();
                next.pending[place] = change;
                next.contested[place] = keys;
            }
        }
        for place in 0..staged.len() {
            self.stage_rows(place, outcome, &mut next.staged[place])?;
        }
        for place in 0..plan.sends.len() {
            self.leaving(place, &mut next.leaving[place])?;
        }
        self.outputs(outcome);
        Ok(())
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
        let none = Relation::new(0, 0, false, false, 0);
        let mut touched = std::mem::replace(&mut self.work.keys, none);
        touched.recast(width);
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
        self.work.keys = touched;
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
    fn stage_rows(
        &mut self,
        place: usize,
        outcome: &mut Outcome,
        (events, view): &mut (Vec<Word>, Change),
    ) -> Run<()> {
        let spec = &self.plan.staged[place];
        let mut sources = [spec.events, spec.view].into_iter().flatten();
        if !sources.any(|(source, _)| self.work.has_changed(source)) {
            return Ok(());
        }
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
        self.check_staged(place, events, view)
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
    fn leaving(&mut self, place: usize, rows: &mut Vec<Word>) -> Run<()> {
        let spec = &self.plan.sends[place];
        if let Some(events) = spec.events {
            for row in self.relations[events].rows() {
                rows.extend_from_slice(row);
            }
        }
        let Some(standing) = spec.standing else {
            return Ok(());
        };
        let relation = &self.relations[standing];
        let new: Vec<u32> = relation.added().collect();
        if new.is_empty() {
            return Ok(());
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
            *rows = self.merge_leaving(spec.channel, rows)?;
        }
        Ok(())
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
        for (place, output) in self.plan.outputs.iter().enumerate() {
            if let Some(events) = output.events {
                let rows = self.relations[events].rows().map(<[Word]>::to_vec).collect();
                self.show(place, rows, &mut outcome.events);
            }
            if let Some(view) = output.view {
                let relation = &self.relations[view];
                let added = relation.added().map(|id| relation.row(id).to_vec()).collect();
                let removed = relation.removed().map(|id| relation.row(id).to_vec()).collect();
                self.show(place, added, &mut outcome.added);
                self.show(place, removed, &mut outcome.removed);
            }
        }
    }

    fn show(&self, output: usize, mut rows: Rows, shown: &mut Shown) {
        if !rows.is_empty() {
            rows.sort_unstable_by(|a, b| self.env.interner.cmp_rows(a, b));
            shown.push((output, rows));
        }
    }
}

pub type Rows = Vec<Vec<Word>>;

/// Who is at fault, as an error names them.
pub fn fault(plan: &Plan, origins: &[u32]) -> String {
    let names: Vec<&str> = origins.iter().map(|&origin| origin_name(plan, origin)).collect();
    names.join(", ")
}
