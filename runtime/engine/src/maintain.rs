//! Brings the relations of a stratum up to date with those below it.
//!
//! Insertions are semi-naive.  Deletions go by the age of rows.  In a recursive
//! view a row is older than what it was derived from it was not: every live row
//! has a derivation all of whose rows of the same stratum are older (by id in a
//! stratum of one relation, by round number otherwise).  So
//!
//! 1. the heads of all derivations that a change below destroyed are found by
//!    joins with the rows that left, and each is asked backward, bound by its
//!    columns, for another derivation of older rows.  One that has none leaves,
//!    and what may have been derived from it is asked in turn;
//! 2. each row that left is asked for any derivation among what is alive.  Those
//!    that have one come back, as new rows, and insertion goes on from them.
//!
//! Step 1 visits the rows that lost every older support and their successors,
//! where delete-and-rederive visits everything reachable from a deletion.  No
//! support counts are kept, and a batch of insertions costs nothing more.
//! A lattice view computes the keys that lost something anew; a recursive one
//! is rebuilt.

use crate::agenda::{Agenda, Work};
use crate::env::Env;
use crate::exec::{self, Access, Delta, Fail, Job, Mode, Run, Step, Steps, ALL};
use crate::lattice::Lattice;
use crate::plan::{DeltaPlan, Kind, Plan, RulePlan, StratumPlan};
use crate::relation::Relation;
use crate::values::{hash_words, same_words, Word};

/// Words of derived rows that are gathered before they go into their relation.
const BATCH: usize = 1 << 13;
/// Delta rows of one batch.
const CHUNK: u32 = 1 << 10;

/// Who puts rows: `ORIGINS` and then the rules by number.
pub const TABLE: u32 = 0;
pub const ROSTER: u32 = 1;
pub const FACT: u32 = 2;
pub const ARRIVAL: u32 = 3;
pub const STAGED: u32 = 4;
pub const RULES: u32 = 5;
pub const ORIGINS: [&str; 5] =
    ["the table", "the roster", "a fact", "an arrival", "<+ of the last tick"];

pub struct Fixpoint<'a, 'e> {
    pub plan: &'a Plan,
    pub relations: &'a mut [Relation],
    pub env: Env<'e>,
    /// The first tick: every rule is evaluated in full.
    pub first: bool,
    /// The number of the round, ever growing.
    pub round: u64,
    pub agenda: &'a Agenda,
    pub work: &'a mut Work,
}

/// What drives a run.
pub enum Source<'s> {
    All,
    Ids(&'s [u32]),
    Range(u32, u32),
}

/// Which rows of its own stratum a run sees.
#[derive(Clone, Copy, PartialEq)]
enum Caps {
    /// Those before the first round.
    Before,
    /// Left of this literal those before the round, right of it those at its start.
    Around(u16),
}

impl Fixpoint<'_, '_> {
    pub fn strata(&mut self) -> Run<()> {
        let plan = self.plan;
        let mut from = 0;
        while let Some(place) = self.due(from) {
            let stratum = &plan.strata[place];
            self.stratum(stratum)?;
            for &relation in &stratum.relations {
                self.note(relation);
            }
            from = place + 1;
        }
        Ok(())
    }

    fn due(&self, from: usize) -> Option<usize> {
        match self.first {
            true => (from < self.plan.strata.len()).then_some(from),
            false => self.work.next_stratum(from),
        }
    }

    /// Puts those who follow a relation on the agenda if it changed.
    pub fn note(&mut self, relation: usize) {
        if self.relations[relation].touched() {
            self.work.change(self.agenda, relation);
        }
    }

    fn stratum(&mut self, stratum: &StratumPlan) -> Run<()> {
        let plan = self.plan;
        let rules = &stratum.rules;
        if let [rule] = rules[..] {
            if plan.rules[rule].aggregate.is_some() && !stratum.recursive {
                self.aggregate_view(rule)?;
                self.relations[plan.rules[rule].head].settle();
                return Ok(());
            }
        }
        let mut rebuild = self.first;
        let lost = !self.first && self.loses(stratum);
        let fragile = stratum.recursive && stratum.rules.iter().any(|&r| self.is_fragile(r));
        if fragile && !rebuild {
            rebuild = lost || self.counts_anew(stratum);
            if rebuild {
                for &relation in &stratum.relations {
                    if plan.relations[relation].kind == Kind::View {
                        self.relations[relation].remove_all();
                    }
                }
            }
        }
        if lost && !rebuild && !self.renew(stratum) {
            self.lose(stratum)?;
        }
        for &relation in &stratum.relations {
            self.work.lo[relation] = self.relations[relation].start();
            self.work.hi[relation] = self.relations[relation].len();
        }
        self.round += 1;
        for &rule in rules {
            self.first_round(rule, rebuild)?;
        }
        while stratum.recursive && self.round_of(stratum)? {}
        for &relation in &stratum.relations {
            self.relations[relation].settle();
        }
        Ok(())
    }

    /// Whether losing rows under this rule means to build its stratum anew.
    fn is_fragile(&self, rule: usize) -> bool {
        let rule = &self.plan.rules[rule];
        let head = &self.plan.relations[rule.head];
        rule.aggregate.is_some() || head.kind == Kind::View && !head.merges.is_empty()
    }

    /// A recursive aggregate is computed anew whenever anything changed.
    fn counts_anew(&self, stratum: &StratumPlan) -> bool {
        let plan = self.plan;
        let has_aggregate = stratum.rules.iter().any(|&rule| plan.rules[rule].aggregate.is_some());
        has_aggregate
            && stratum.rules.iter().any(|&rule| {
                let rule = &plan.rules[rule];
                rule.each_tick
                    || rule.deltas.iter().any(|delta| self.relations[delta.relation].touched())
            })
    }

    // ------------------------------------------------------------- insertion

    fn first_round(&mut self, rule: usize, rebuild: bool) -> Run<()> {
        let plan = self.plan;
        let spec = &plan.rules[rule];
        if spec.aggregate.is_some() {
            return self.recount(rule);
        }
        if spec.each_tick || rebuild {
            if self.has_all(spec, None) {
                self.derive(rule, &spec.full, None, Source::All, Caps::Before)?;
            }
            return Ok(());
        }
        for delta in spec.deltas.iter().filter(|delta| !delta.same) {
            let relation = &self.relations[delta.relation];
            if delta.negated {
                if relation.has_removed() && self.has_all(spec, None) {
                    let ids: Vec<u32> = relation.removed().collect();
                    let driver = Some(delta.literal);
                    self.derive(rule, &delta.steps, driver, Source::Ids(&ids), Caps::Before)?;
                }
            } else if relation.has_added() && self.has_all(spec, Some(delta.relation)) {
                let source = Source::Range(relation.start(), relation.len());
                self.derive(rule, &delta.steps, Some(delta.literal), source, Caps::Before)?;
            }
        }
        Ok(())
    }

    /// No positive literal's relation is empty.
    fn has_all(&self, spec: &RulePlan, but: Option<usize>) -> bool {
        spec.reads.iter().all(|&read| Some(read) == but || !self.relations[read].is_empty())
    }

    /// As `has_all`, of what is or was there.
    fn had_all(&self, spec: &RulePlan) -> bool {
        spec.reads.iter().all(|&read| {
            let relation = &self.relations[read];
            !relation.is_empty() || !relation.removed_so_far().is_empty()
        })
    }

    /// One semi-naive round; whether there was anything to do.
    fn round_of(&mut self, stratum: &StratumPlan) -> Run<bool> {
        let plan = self.plan;
        let mut any = false;
        for &relation in &stratum.relations {
            self.work.hi[relation] = self.relations[relation].len();
            any |= self.work.lo[relation] < self.work.hi[relation];
        }
        if !any {
            return Ok(false);
        }
        self.round += 1;
        for &rule in &stratum.rules {
            let spec = &plan.rules[rule];
            let news = |delta: &&DeltaPlan| {
                delta.same
                    && !delta.negated
                    && self.work.lo[delta.relation] < self.work.hi[delta.relation]
            };
            if spec.aggregate.is_some() {
                if spec.deltas.iter().any(|delta| news(&delta)) {
                    self.recount(rule)?;
                }
                continue;
            }
            let deltas: Vec<&DeltaPlan> = spec.deltas.iter().filter(news).collect();
            for delta in deltas {
                let source =
                    Source::Range(self.work.lo[delta.relation], self.work.hi[delta.relation]);
                let caps = Caps::Around(delta.literal);
                self.derive(rule, &delta.steps, Some(delta.literal), source, caps)?;
            }
        }
        for &relation in &stratum.relations {
            self.work.lo[relation] = self.work.hi[relation];
        }
        Ok(true)
    }

    fn prepare(&mut self, steps: &Steps) {
        for index in &steps.indexes {
            self.relations[index.relation].ensure_index(index.slot, &index.columns);
        }
    }

    /// Per step the ids that it may see; None where some step can see nothing.
    fn caps(&self, steps: &Steps, caps: Caps) -> Option<Vec<u32>> {
        if !steps.recursive {
            return Some(Vec::new());
        }
        let mut bounds = Vec::with_capacity(steps.len());
        for step in steps.iter() {
            let mut bound = ALL;
            if let Step::Rows(atom) = step {
                if atom.same && atom.access != Access::Delta {
                    bound = match caps {
                        Caps::Around(literal) if atom.literal > literal => {
                            self.work.hi[atom.relation]
                        }
                        _ => self.work.lo[atom.relation],
                    };
                    if bound == 0 {
                        return None;
                    }
                }
            }
            bounds.push(bound);
        }
        Some(bounds)
    }

    fn exec(&mut self, job: &Job<'_>, out: &mut Vec<Word>) -> Run<bool> {
        exec::run(job, self.relations, &mut self.env, &mut self.work.scratch, out)
    }

    /// Runs a plan and puts what it derives into the rule's head.
    fn derive(
        &mut self,
        rule: usize,
        steps: &Steps,
        driver: Option<u16>,
        source: Source<'_>,
        caps: Caps,
    ) -> Run<()> {
        let Some(caps) = self.caps(steps, caps) else {
            return Ok(());
        };
        self.prepare(steps);
        let plan = self.plan;
        let mut buffer = self.work.buffer();
        let mut job = Job { driver, caps: &caps, ..Job::new(rule, &plan.rules[rule], steps) };
        match source {
            Source::All => {
                self.exec(&job, &mut buffer)?;
            }
            Source::Ids(ids) => {
                for chunk in ids.chunks(CHUNK as usize) {
                    job.delta = Delta::Ids(chunk);
                    self.exec(&job, &mut buffer)?;
                    if buffer.len() > BATCH {
                        self.flush(rule, &mut buffer)?;
                    }
                }
            }
            Source::Range(mut from, to) => {
                while from < to {
                    let next = to.min(from.saturating_add(CHUNK));
                    job.delta = Delta::Range(from, next);
                    from = next;
                    self.exec(&job, &mut buffer)?;
                    if buffer.len() > BATCH {
                        self.flush(rule, &mut buffer)?;
                    }
                }
            }
        }
        self.flush(rule, &mut buffer)?;
        self.work.give_back(buffer);
        Ok(())
    }

    /// Collects what a plan derives; what it gives is best given back (`Work::give_back`).
    pub fn collect(
        &mut self,
        rule: usize,
        steps: &Steps,
        driver: Option<u16>,
        source: Source<'_>,
        mode: Mode,
        preset: (usize, &[Word]),
    ) -> Run<Vec<Word>> {
        self.prepare(steps);
        let plan = self.plan;
        let mut buffer = self.work.buffer();
        let delta = match source {
            Source::All => Delta::None,
            Source::Ids(ids) => Delta::Ids(ids),
            Source::Range(from, to) => Delta::Range(from, to),
        };
        let job = Job { driver, mode, delta, preset, ..Job::new(rule, &plan.rules[rule], steps) };
        self.exec(&job, &mut buffer)?;
        Ok(buffer)
    }

    fn flush(&mut self, rule: usize, buffer: &mut Vec<Word>) -> Run<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let head = self.plan.rules[rule].head;
        let arity = self.plan.relations[head].arity;
        let relation = &mut self.relations[head];
        if relation.key == arity && arity > 0 && !self.plan.relations[head].sourced {
            let round = self.round;
            relation.reserve(buffer.len() / arity);
            let mut hashes = [0u64; 64];
            for rows in buffer.chunks(64 * arity) {
                // Table first, rows then: reading ahead lets the misses of many overlap.
                let mut seen = 0;
                for (hash, row) in hashes.iter_mut().zip(rows.chunks_exact(arity)) {
                    *hash = hash_words(row);
                    seen ^= relation.peek(*hash);
                }
                std::hint::black_box(seen);
                let hashes = &hashes[..rows.len() / arity];
                let rows_seen = hashes
                    .iter()
                    .fold(0, |seen, &hash| seen ^ relation.glance(relation.likely(hash)));
                std::hint::black_box(rows_seen);
                for (row, &hash) in rows.chunks_exact(arity).zip(hashes) {
                    // One that is there already is not news.
                    let _ = relation.insert_hashed(row, hash, round);
                }
            }
        } else if arity == 0 {
            let _ = relation.insert(&[], self.round);
        } else {
            let key = relation.key;
            if let [(place, Lattice::Set(_))] = &self.plan.relations[head].merges[..] {
                gather_sets(&mut self.env, buffer, arity, key, *place);
            }
            for rows in buffer.chunks(64 * arity) {
                // Reading ahead lets the misses of many rows overlap.
                let mut seen = 0;
                for row in rows.chunks_exact(arity) {
                    let relation = &self.relations[head];
                    seen ^= relation.glance(relation.likely(hash_words(&row[..key])));
                }
                std::hint::black_box(seen);
                for row in rows.chunks_exact(arity) {
                    self.put_from(head, row, RULES + rule as u32, self.work.hi[head])?;
                }
            }
        }
        buffer.clear();
        Ok(())
    }

    /// Enters or merges a row; whether that changed anything.
    pub fn put(&mut self, head: usize, row: &[Word], origin: u32) -> Run<bool> {
        self.put_from(head, row, origin, ALL)
    }

    /// As `put`; rows from id `fresh` on have been nobody's delta and may change in place.
    fn put_from(&mut self, head: usize, row: &[Word], origin: u32, fresh: u32) -> Run<bool> {
        let round = self.round;
        match self.relations[head].insert(row, round) {
            Ok(id) => {
                self.relations[head].set_origin(id, origin);
                Ok(true)
            }
            Err(there) => {
                let Some(merged) = self.merged(head, there, row, origin)? else {
                    return Ok(false);
                };
                if there >= fresh && self.relations[head].overwrite(there, &merged) {
                    return Ok(true);
                }
                let id = self.relations[head].supersede(there, &merged, round);
                self.relations[head].set_origin(id, origin);
                Ok(true)
            }
        }
    }

    /// The row that results where one of its key is there; None if that is the one there.
    fn merged(
        &mut self,
        head: usize,
        there: u32,
        row: &[Word],
        origin: u32,
    ) -> Run<Option<Vec<Word>>> {
        let spec = &self.plan.relations[head];
        let known = self.relations[head].row(there);
        if same_words(known, row) {
            return Ok(None);
        }
        if spec.plain.iter().any(|&place| known[place] != row[place]) {
            let origin_there = self.relations[head].origin(there);
            let old = spec.kind == Kind::Table && there < self.relations[head].start();
            let first = if old { TABLE } else { self.source(origin_there, known) };
            let second = self.source(origin, row);
            return Err(self.conflict(head, first, second, known.to_vec(), row.to_vec()));
        }
        if let [(place, lattice)] = &spec.merges[..] {
            // Most that is derived again is below what is there.
            let (old, new) = (known[*place], row[*place]);
            let value = self
                .env
                .merge(old, new, lattice)
                .map_err(|reason| self.merge_failed(head, origin, row, &reason))?;
            if value == old {
                return Ok(None);
            }
            let mut result = row.to_vec();
            result[*place] = value;
            return Ok(Some(result));
        }
        let mut result = known.to_vec();
        for (place, lattice) in &spec.merges {
            result[*place] = self
                .env
                .merge(result[*place], row[*place], lattice)
                .map_err(|reason| self.merge_failed(head, origin, row, &reason))?;
        }
        let same = self.relations[head].row(there) == result;
        Ok((!same).then_some(result))
    }

    /// Who put a row there, behind the rules that only hand it on.
    fn source(&self, origin: u32, row: &[Word]) -> u32 {
        let rule = origin.checked_sub(RULES).map(|rule| &self.plan.rules[rule as usize]);
        let Some(relation) = rule.and_then(|rule| rule.copies) else {
            return origin;
        };
        let relation = &self.relations[relation];
        relation.find_exact(row).map_or(origin, |id| self.source(relation.origin(id), row))
    }

    fn merge_failed(&self, head: usize, origin: u32, row: &[Word], reason: &str) -> Box<Fail> {
        let name = &self.plan.relations[head].name;
        Box::new(Fail {
            origins: vec![origin],
            rows: vec![(head, row.to_vec())],
            message: format!("merging into {name}: {reason}"),
        })
    }

    pub fn origin_name(&self, origin: u32) -> &str {
        origin_name(self.plan, origin)
    }

    /// Two rows of equal key with different plain values; the earlier origin comes first.
    pub fn conflict(
        &self,
        head: usize,
        first: u32,
        second: u32,
        there: Vec<Word>,
        new: Vec<Word>,
    ) -> Box<Fail> {
        let spec = &self.plan.relations[head];
        let swap = first != TABLE && first > second;
        let (first, second, there, new) =
            if swap { (second, first, new, there) } else { (first, second, there, new) };
        let key: Vec<String> = new[..spec.key].iter().map(|&w| self.env.repr(w)).collect();
        let comma = if key.len() == 1 { "," } else { "" };
        let message = format!(
            "key conflict in {}: two rows have the key ({}{comma}) (one by {}, one by {})",
            spec.name,
            key.join(", "),
            self.origin_name(first),
            self.origin_name(second),
        );
        let origins =
            if first == second || first == TABLE { vec![second] } else { vec![first, second] };
        Box::new(Fail { origins, rows: vec![(head, there), (head, new)], message })
    }

    // -------------------------------------------------------------- deletion

    /// The rows below that left (or came, under a negation) and can cost this rule rows.
    fn loss(&self, delta: &DeltaPlan) -> bool {
        let relation = &self.relations[delta.relation];
        if delta.negated {
            return relation.has_added();
        }
        let may = !delta.same || self.plan.relations[delta.relation].kind == Kind::Table;
        may && relation.has_removed()
    }

    fn loses(&self, stratum: &StratumPlan) -> bool {
        let plan = self.plan;
        let table_lost = stratum.relations.iter().any(|&relation| {
            plan.relations[relation].kind == Kind::Table && self.relations[relation].has_removed()
        });
        table_lost
            || stratum.rules.iter().any(|&rule| {
                let rule = &plan.rules[rule];
                !rule.each_tick
                    && plan.relations[rule.head].kind == Kind::View
                    && rule.deltas.iter().any(|delta| self.loss(delta))
            })
    }

    /// A view each of whose derivations has a row that came: whatever was there leaves, and
    /// what is derived all the same is found again.
    fn renew(&mut self, stratum: &StratumPlan) -> bool {
        let [head] = stratum.relations[..] else {
            return false;
        };
        let plan = self.plan;
        let renewed = |&rule: &usize| {
            let rule = &plan.rules[rule];
            !rule.each_tick && rule.reads.iter().any(|&read| self.relations[read].is_new())
        };
        let all = !stratum.recursive
            && plan.relations[head].kind == Kind::View
            && stratum.rules.iter().all(renewed);
        if all {
            self.relations[head].remove_all();
        }
        all
    }

    fn lose(&mut self, stratum: &StratumPlan) -> Run<()> {
        let plan = self.plan;
        let mut suspects: Vec<(usize, u32)> = Vec::new();
        for &rule in &stratum.rules {
            let spec = &plan.rules[rule];
            if spec.each_tick || plan.relations[spec.head].kind != Kind::View {
                continue;
            }
            for delta in &spec.deltas {
                if !self.relations[spec.head].is_empty() && self.loss(delta) && self.had_all(spec) {
                    let relation = &self.relations[delta.relation];
                    let ids: Vec<u32> = if delta.negated {
                        relation.added().collect()
                    } else {
                        relation.removed().collect()
                    };
                    self.suspect(rule, delta, &ids, &mut suspects)?;
                }
            }
        }
        while !suspects.is_empty() {
            let mut gone: Vec<Vec<u32>> = vec![Vec::new(); stratum.relations.len()];
            for (head, id) in std::mem::take(&mut suspects) {
                if !self.relations[head].alive(id) {
                    continue;
                }
                if !plan.relations[head].merges.is_empty() {
                    self.relations[head].remove(id);
                } else if !self.supported(stratum, head, id)? {
                    self.relations[head].remove(id);
                    if let Some(place) = stratum.relations.iter().position(|&r| r == head) {
                        gone[place].push(id);
                    }
                }
            }
            for (place, ids) in gone.iter().enumerate().filter(|(_, ids)| !ids.is_empty()) {
                for &rule in &stratum.rules {
                    let spec = &plan.rules[rule];
                    if spec.each_tick || plan.relations[spec.head].kind != Kind::View {
                        continue;
                    }
                    for delta in &spec.deltas {
                        if delta.relation == stratum.relations[place] && !delta.negated {
                            self.suspect(rule, delta, ids, &mut suspects)?;
                        }
                    }
                }
            }
        }
        self.bring_back(stratum)
    }

    /// The live heads of matches that rows which left (or came) may have made or spoilt.
    fn suspect(
        &mut self,
        rule: usize,
        delta: &DeltaPlan,
        ids: &[u32],
        suspects: &mut Vec<(usize, u32)>,
    ) -> Run<()> {
        let head = self.plan.rules[rule].head;
        let spec = &self.plan.relations[head];
        let driver = Some(delta.literal);
        let rows =
            self.collect(rule, &delta.steps, driver, Source::Ids(ids), Mode::Lost, (0, &[]))?;
        let relation = &self.relations[head];
        for row in rows.chunks_exact(spec.arity.max(1)) {
            let found = match spec.merges.is_empty() {
                true => relation.find_exact(row),
                false => relation.find(row),
            };
            suspects.extend(found.map(|id| (head, id)));
        }
        self.work.give_back(rows);
        Ok(())
    }

    /// Whether the row has a derivation, in a recursive stratum one of older rows.
    fn supported(&mut self, stratum: &StratumPlan, head: usize, id: u32) -> Run<bool> {
        let rank = match stratum.recursive {
            true => self.relations[head].rank(id),
            false => u64::MAX,
        };
        let row = self.relations[head].row(id).to_vec();
        self.derivable(&stratum.rules, head, &row, rank)
    }

    fn derivable(&mut self, rules: &[usize], head: usize, row: &[Word], rank: u64) -> Run<bool> {
        let plan = self.plan;
        for &rule in rules {
            let spec = &plan.rules[rule];
            let Some(bound) = spec.bound.as_ref().filter(|_| spec.head == head) else {
                continue;
            };
            if !self.has_all(spec, None) {
                continue;
            }
            self.prepare(&bound.steps);
            let preset = (bound.register, &row[..bound.width]);
            let job = Job { preset, rank, exists: true, ..Job::new(rule, spec, &bound.steps) };
            if self.exec(&job, &mut Vec::new())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows that left and are derived all the same come back, as new rows.
    fn bring_back(&mut self, stratum: &StratumPlan) -> Run<()> {
        let plan = self.plan;
        self.round += 1;
        for &head in &stratum.relations {
            let spec = &plan.relations[head];
            if !matches!(spec.kind, Kind::View | Kind::Table) {
                continue;
            }
            let lattice = !spec.merges.is_empty();
            if spec.kind == Kind::View && !lattice && !stratum.recursive {
                continue; // each was asked for any derivation before it left
            }
            for id in self.relations[head].removed_so_far().to_vec() {
                let row = self.relations[head].row(id).to_vec();
                if lattice {
                    self.compute_key(&stratum.rules, head, &row)?;
                } else if !self.relations[head].contains(&row)
                    && self.derivable(&stratum.rules, head, &row, u64::MAX)?
                {
                    self.round += 1;
                    self.put(head, &row, RULES)?;
                }
            }
        }
        Ok(())
    }

    /// All that the rules derive for the key of a row, merged into what is there.
    fn compute_key(&mut self, rules: &[usize], head: usize, row: &[Word]) -> Run<()> {
        let plan = self.plan;
        for &rule in rules {
            let spec = &plan.rules[rule];
            let Some(bound) = spec.bound.as_ref().filter(|_| spec.head == head) else {
                continue;
            };
            let preset = (bound.register, &row[..bound.width]);
            let mut rows =
                self.collect(rule, &bound.steps, None, Source::All, Mode::Now, preset)?;
            self.flush(rule, &mut rows)?;
            self.work.give_back(rows);
        }
        Ok(())
    }
}

/// Of the sets that a batch adds to one key it makes one, as each merge copies what is there.
fn gather_sets(env: &mut Env, rows: &mut Vec<Word>, arity: usize, key: usize, place: usize) {
    if rows.len() < 8 * arity {
        return;
    }
    let mut order: Vec<usize> = (0..rows.len() / arity).collect();
    order.sort_by(|&a, &b| rows[a * arity..][..key].cmp(&rows[b * arity..][..key]));
    let mut gathered = Vec::with_capacity(rows.len());
    let same = |&a: &usize, &b: &usize| {
        let plain =
            |row: usize, at: usize| at == place || rows[a * arity + at] == rows[row * arity + at];
        (0..arity).all(|at| plain(b, at))
    };
    for group in order.chunk_by(same) {
        let start = gathered.len();
        gathered.extend_from_slice(&rows[group[0] * arity..][..arity]);
        if group.len() > 1 {
            let mut items = Vec::new();
            for &row in group {
                items.extend_from_slice(env.interner.set_items(rows[row * arity + place]));
            }
            gathered[start + place] = env.interner.set(items);
        }
    }
    *rows = gathered;
}

pub fn origin_name(plan: &Plan, origin: u32) -> &str {
    match origin.checked_sub(RULES) {
        Some(rule) => &plan.rules[rule as usize].name,
        None => ORIGINS[origin as usize],
    }
}
