//! What a tick has to look at: the strata and tables that some change concerns.
//!
//! A program of a hundred rules has ticks in which five of them have anything to
//! do.  So nothing is visited because it is there: a relation that changes puts
//! those who follow it on the agenda, and only relations that changed are
//! committed.

use crate::exec::Scratch;
use crate::plan::{Plan, RulePlan, StratumPlan};
use crate::relation::Relation;
use crate::values::Word;

/// Buffers of so many words are kept, so many of them.
const KEPT_ROOM: usize = 1 << 10;
const KEPT_BUFFERS: usize = 4;

/// Who follows what; a function of the plan.
pub struct Agenda {
    /// Per relation the strata that follow its changes, its own among them.
    watchers: Vec<Box<[u32]>>,
    /// Strata with a rule that nothing drives.
    always: Box<[u32]>,
    /// Per relation the table plans that it matters to.
    tables: Vec<Box<[u32]>>,
}

impl Agenda {
    pub fn new(plan: &Plan) -> Agenda {
        let mut watchers = vec![Vec::new(); plan.relations.len()];
        let mut always = Vec::new();
        for (stratum, number) in plan.strata.iter().zip(0u32..) {
            for relation in followed(plan, stratum) {
                watchers[relation].push(number);
            }
            if stratum.rules.iter().any(|&rule| is_undriven(plan, &plan.rules[rule])) {
                always.push(number);
            }
        }
        let mut tables = vec![Vec::new(); plan.relations.len()];
        for (table, number) in plan.tables.iter().zip(0u32..) {
            let plus = table.plus.iter().map(|(relation, _)| relation);
            let sources = table.minus.iter().chain(&table.replace).chain(plus);
            for &relation in sources.chain([&table.relation]) {
                tables[relation].push(number);
            }
        }
        let boxed = |lists: Vec<Vec<u32>>| lists.into_iter().map(Vec::into_boxed_slice).collect();
        Agenda { watchers: boxed(watchers), always: always.into(), tables: boxed(tables) }
    }
}

/// The relations whose changes can mean work for a stratum.
fn followed(plan: &Plan, stratum: &StratumPlan) -> Vec<usize> {
    let mut found = stratum.relations.clone();
    for &rule in &stratum.rules {
        let rule = &plan.rules[rule];
        if rule.each_tick {
            found.extend(drivers(plan, rule));
        } else {
            found.extend(rule.deltas.iter().map(|delta| delta.relation));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What a rule that is evaluated at each tick cannot do without, and is empty as a rule.
fn drivers<'p>(plan: &'p Plan, rule: &'p RulePlan) -> impl Iterator<Item = usize> + 'p {
    rule.reads.iter().copied().filter(|&read| plan.relations[read].ephemeral)
}

fn is_undriven(plan: &Plan, rule: &RulePlan) -> bool {
    rule.each_tick && drivers(plan, rule).next().is_none()
}

/// What is on the agenda of the tick under way, and room that its runs share.
pub struct Work {
    strata: Vec<u64>,
    /// Relations that changed, each once.
    pub changed: Vec<usize>,
    known: Vec<bool>,
    tables: Vec<bool>,
    pub scratch: Scratch,
    buffers: Vec<Vec<Word>>,
    /// Keys of the table that is being staged.
    pub keys: Relation,
    /// Per relation of the stratum under way: rows from `lo` to `hi` are this round's delta.
    pub lo: Vec<u32>,
    pub hi: Vec<u32>,
}

impl Work {
    pub fn new(plan: &Plan) -> Work {
        Work {
            strata: vec![0; plan.strata.len().div_ceil(64)],
            changed: Vec::new(),
            known: vec![false; plan.relations.len()],
            tables: vec![false; plan.tables.len()],
            scratch: Scratch::default(),
            buffers: Vec::new(),
            keys: Relation::new(0, 0, false, false, 0),
            lo: vec![0; plan.relations.len()],
            hi: vec![0; plan.relations.len()],
        }
    }

    /// A tick begins.
    pub fn begin(&mut self, agenda: &Agenda) {
        for place in self.changed.drain(..) {
            self.known[place] = false;
        }
        self.tables.fill(false);
        self.strata.fill(0);
        for &stratum in &agenda.always {
            self.strata[stratum as usize / 64] |= 1 << (stratum % 64);
        }
    }

    /// A relation changed.
    pub fn change(&mut self, agenda: &Agenda, relation: usize) {
        if self.known[relation] {
            return;
        }
        self.known[relation] = true;
        self.changed.push(relation);
        for &stratum in &agenda.watchers[relation] {
            self.strata[stratum as usize / 64] |= 1 << (stratum % 64);
        }
        for &table in &agenda.tables[relation] {
            self.tables[table as usize] = true;
        }
    }

    pub fn has_changed(&self, relation: usize) -> bool {
        self.known[relation]
    }

    /// Whether something may be staged for a table, by this tick's changes.
    pub fn is_table_due(&self, table: usize) -> bool {
        self.tables[table]
    }

    /// An empty buffer.
    pub fn buffer(&mut self) -> Vec<Word> {
        self.buffers.pop().unwrap_or_default()
    }

    pub fn give_back(&mut self, mut buffer: Vec<Word>) {
        if buffer.capacity() <= KEPT_ROOM && self.buffers.len() < KEPT_BUFFERS {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// The first stratum due from this one on.
    pub fn next_stratum(&self, from: usize) -> Option<usize> {
        let mut place = from / 64;
        let mut word = self.strata.get(place)? & (u64::MAX << (from % 64));
        while word == 0 {
            place += 1;
            word = *self.strata.get(place)?;
        }
        Some(place * 64 + word.trailing_zeros() as usize)
    }
}
