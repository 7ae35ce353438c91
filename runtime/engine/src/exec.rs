//! Runs one join plan: nested loops over scans, deltas and index probes.
//!
//! A plan is run for a purpose (`Mode`): to find what is derived now, what may
//! have been derived by rows that left, or whether a given row is derived.  A
//! test that cannot be computed does not fail the tick before every other
//! literal has agreed, so the order of the literals is never seen.

use crate::env::Env;
use crate::expr::{self, Expr};
use crate::lattice::Type;
use crate::maintain::RULES;
use crate::plan::RulePlan;
use crate::relation::Relation;
use crate::values::{Value, Word, NONE};

#[derive(Clone, Copy, Debug)]
pub enum Operand {
    Reg(u16),
    Const(Word),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    Scan,
    /// The rows that the run is driven by.
    Delta,
    /// By the columns that identify a row.
    Primary,
    /// By the index in this slot.
    Index(usize),
}

/// A positive or negated atom.
#[derive(Clone, Debug)]
pub struct Atom {
    /// Its place in the rule's body.
    pub literal: u16,
    pub relation: usize,
    /// Its relation belongs to the stratum being computed.
    pub same: bool,
    /// A row of it must be older than the head that it supports (views of the same stratum).
    pub ordered: bool,
    pub access: Access,
    pub columns: Box<[u16]>,
    pub key: Box<[Operand]>,
    pub binds: Box<[(u16, u16)]>,
    pub checks: Box<[(u16, Operand)]>,
    pub equal: Box<[(u16, u16)]>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Rows(Atom),
    Absent(Atom),
    Test {
        test: Expr,
        uses: Box<[u16]>,
    },
    /// The word in a register is the expression's value, in the form of a type.
    Same {
        reg: u16,
        value: Expr,
        type_: Option<Type>,
        uses: Box<[u16]>,
    },
    Let {
        reg: u16,
        value: Expr,
        type_: Option<Type>,
        uses: Box<[u16]>,
    },
    Each {
        source: Expr,
        count: usize,
        binds: Box<[(u16, u16)]>,
        same: Box<[(u16, Operand)]>,
        equal: Box<[(u16, Word)]>,
        uses: Box<[u16]>,
    },
}

/// A head column where the last step is an atom: no register stands between.
#[derive(Clone, Copy, Debug)]
pub enum Out {
    Reg(u16),
    Column(u16),
    Const(Word),
}

/// An index that a plan reads.
#[derive(Clone, Debug)]
pub struct UsedIndex {
    pub relation: usize,
    pub slot: usize,
    pub columns: Box<[u16]>,
}

/// A join plan.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    steps: Vec<Step>,
    /// How the head comes about if the last step is an atom and nothing is computed.
    tail: Option<Box<[Out]>>,
    pub indexes: Vec<UsedIndex>,
    /// It reads relations of its own stratum.
    pub recursive: bool,
}

impl std::ops::Deref for Steps {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        &self.steps
    }
}

impl Steps {
    pub fn new(steps: Vec<Step>, head: &[HeadArg]) -> Steps {
        let tail = match steps.last() {
            Some(Step::Rows(atom)) => tail_of(atom, head),
            _ => None,
        };
        let mut indexes = Vec::new();
        let mut recursive = false;
        for step in &steps {
            let (Step::Rows(atom) | Step::Absent(atom)) = step else {
                continue;
            };
            if let Access::Index(slot) = atom.access {
                let columns = atom.columns.clone();
                indexes.push(UsedIndex { relation: atom.relation, slot, columns });
            }
            let rows = matches!(step, Step::Rows(_));
            recursive |= rows && atom.same && atom.access != Access::Delta;
        }
        Steps { steps, tail, indexes, recursive }
    }
}

fn tail_of(atom: &Atom, head: &[HeadArg]) -> Option<Box<[Out]>> {
    head.iter()
        .map(|arg| match arg.value {
            _ if arg.known => None,
            Expr::Reg(reg) => {
                let bound = atom.binds.iter().find(|(_, bound)| *bound == reg);
                Some(bound.map_or(Out::Reg(reg), |&(column, _)| Out::Column(column)))
            }
            Expr::Const(word) => Some(Out::Const(word)),
            _ => None,
        })
        .collect()
}

#[derive(Clone, Debug)]
pub struct HeadArg {
    pub value: Expr,
    /// A bottom here means that nothing is known yet: no row.
    pub known: bool,
}

/// Why a tick cannot be taken.
#[derive(Debug)]
pub struct Fail {
    /// Who is at fault, as `maintain::ORIGINS` numbers them.
    pub origins: Vec<u32>,
    pub rows: Vec<(usize, Vec<Word>)>,
    pub message: String,
}

pub type Run<T> = Result<T, Box<Fail>>;

#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    /// Matches among what is there now.
    Now,
    /// A superset of the matches that were there and are lost: rows that left count,
    /// and of negated atoms only rows that stayed.
    Lost,
    /// Left of the driver what is there now, right of it what was there at the tick's
    /// start: so each match that came or went is found once.
    Between,
}

pub enum Delta<'a> {
    None,
    Ids(&'a [u32]),
    Range(u32, u32),
}

/// Rows of a relation that a run may see: ids below this.
pub const ALL: u32 = u32::MAX;
/// Rows that are read before the first of them is used.
const AHEAD: usize = 64;

/// What is to be run, and for what.
pub struct Job<'a> {
    pub rule: usize,
    pub steps: &'a Steps,
    pub head: &'a [HeadArg],
    pub registers: usize,
    pub mode: Mode,
    pub delta: Delta<'a>,
    /// The literal that the run is driven by.
    pub driver: Option<u16>,
    /// Per step, the ids that it may see lie below this; empty: all.
    pub caps: &'a [u32],
    /// Ordered atoms need rows whose rank is below this.
    pub rank: u64,
    /// Stop at the first match and emit nothing.
    pub exists: bool,
    /// Words that stand in registers from one on.
    pub preset: (usize, &'a [Word]),
}

impl<'a> Job<'a> {
    pub fn new(rule: usize, spec: &'a RulePlan, steps: &'a Steps) -> Job<'a> {
        Job {
            rule,
            steps,
            head: &spec.args,
            registers: spec.registers,
            mode: Mode::Now,
            delta: Delta::None,
            driver: None,
            caps: &[],
            rank: u64::MAX,
            exists: false,
            preset: (0, &[]),
        }
    }
}

/// Room that one run leaves to the next.
#[derive(Default)]
pub struct Scratch {
    regs: Vec<Word>,
    trail: Vec<u32>,
}

struct Exec<'a, 'e> {
    job: &'a Job<'a>,
    relations: &'a [Relation],
    env: &'a mut Env<'e>,
    steps: &'a [Step],
    tail: Option<&'a [Out]>,
    mode: Mode,
    driver: Option<u16>,
    rank: u64,
    exists: bool,
    regs: &'a mut [Word],
    trail: &'a mut [u32],
    out: &'a mut Vec<Word>,
    pending: Option<String>,
    unknown: Vec<u16>,
}

/// Runs a plan; whether `exists` was asked for and found.
pub fn run(
    job: &Job<'_>,
    relations: &[Relation],
    env: &mut Env<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<Word>,
) -> Run<bool> {
    let Scratch { regs, trail } = scratch;
    regs.clear();
    regs.resize(job.registers, NONE);
    let (start, words) = job.preset;
    regs[start..start + words.len()].copy_from_slice(words);
    trail.clear();
    trail.resize(job.steps.len(), 0);
    let mut exec = Exec {
        job,
        relations,
        env,
        steps: job.steps,
        tail: job.steps.tail.as_deref(),
        mode: job.mode,
        driver: job.driver,
        rank: job.rank,
        exists: job.exists,
        regs,
        trail,
        out,
        pending: None,
        unknown: Vec::new(),
    };
    exec.go(0)
}

impl<'a> Exec<'a, '_> {
    #[inline(always)]
    fn operand(&self, operand: Operand) -> Word {
        match operand {
            Operand::Reg(reg) => self.regs[usize::from(reg)],
            Operand::Const(word) => word,
        }
    }

    fn go(&mut self, at: usize) -> Run<bool> {
        let steps = self.steps;
        let Some(step) = steps.get(at) else {
            return self.emit();
        };
        match step {
            Step::Rows(atom) => self.rows(at, atom),
            Step::Absent(atom) => {
                let skipped = self.mode == Mode::Lost && self.driver == Some(atom.literal);
                if skipped || self.poisoned_atom(atom) || self.absent(atom) {
                    return self.go(at + 1);
                }
                Ok(false)
            }
            Step::Test { test, uses } => {
                if !self.poisoned(uses) {
                    match test.truth(self.regs, self.env) {
                        Ok(true) => {}
                        Ok(false) => return Ok(false),
                        Err(message) => return self.postpone(at, message, []),
                    }
                }
                self.go(at + 1)
            }
            Step::Same { reg, value, type_, uses } => {
                if !self.poisoned(uses) {
                    match value.eval(self.regs, self.env) {
                        Ok(word) => {
                            let word = self.shaped(word, type_.as_ref());
                            if word != self.regs[usize::from(*reg)] {
                                return Ok(false);
                            }
                        }
                        Err(message) => return self.postpone(at, message, []),
                    }
                }
                self.go(at + 1)
            }
            Step::Let { reg, value, type_, uses } => {
                if self.poisoned(uses) {
                    return self.poison(at, [*reg]);
                }
                match value.eval(self.regs, self.env) {
                    Ok(word) => {
                        self.regs[usize::from(*reg)] = self.shaped(word, type_.as_ref());
                        self.go(at + 1)
                    }
                    Err(message) => self.postpone(at, message, [*reg]),
                }
            }
            Step::Each { source, count, binds, same, equal, uses } => {
                if self.poisoned(uses) {
                    return self.poison(at, binds.iter().map(|bind| bind.1));
                }
                self.each(at, source, *count, binds, same, equal)
            }
        }
    }

    /// A value in the form of a column's type, or as it is where it has none.
    fn shaped(&mut self, word: Word, type_: Option<&Type>) -> Word {
        match type_ {
            Some(type_) => self.env.shape(word, type_),
            None => word,
        }
    }

    fn poisoned(&self, uses: &[u16]) -> bool {
        !self.unknown.is_empty() && uses.iter().any(|reg| self.unknown.contains(reg))
    }

    fn is_unknown(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Reg(reg) if self.unknown.contains(&reg))
    }

    fn poisoned_atom(&self, atom: &Atom) -> bool {
        !self.unknown.is_empty()
            && (atom.key.iter().any(|&operand| self.is_unknown(operand))
                || atom.checks.iter().any(|&(_, operand)| self.is_unknown(operand)))
    }

    fn poison(&mut self, at: usize, regs: impl IntoIterator<Item = u16>) -> Run<bool> {
        let known = self.unknown.len();
        self.unknown.extend(regs);
        let found = self.go(at + 1);
        self.unknown.truncate(known);
        found
    }

    /// Goes on with a failure in hand, which counts if all else agrees.
    fn postpone(
        &mut self,
        at: usize,
        message: String,
        regs: impl IntoIterator<Item = u16>,
    ) -> Run<bool> {
        if self.mode == Mode::Lost || self.exists {
            // Such a match would have failed the tick that made it.
            return Ok(false);
        }
        let first = self.pending.is_none();
        if first {
            self.pending = Some(message);
        }
        let found = self.poison(at, regs);
        if first {
            self.pending = None;
        }
        found
    }

    #[inline(always)]
    fn visible(&self, relation: &Relation, atom: &Atom, id: u32, cap: u32) -> bool {
        if id >= cap {
            return false;
        }
        match self.mode {
            Mode::Now => {
                relation.alive(id)
                    && (self.rank == u64::MAX || !atom.ordered || relation.rank(id) < self.rank)
            }
            Mode::Lost => relation.known(id),
            Mode::Between if self.driver.is_some_and(|driver| atom.literal < driver) => {
                relation.alive(id)
            }
            Mode::Between => id < relation.start() && relation.known(id),
        }
    }

    #[inline(always)]
    fn matches(&self, atom: &Atom, row: &[Word]) -> bool {
        atom.checks
            .iter()
            .all(|&(column, operand)| row[usize::from(column)] == self.operand(operand))
            && atom.equal.iter().all(|&(a, b)| row[usize::from(a)] == row[usize::from(b)])
    }

    #[inline(always)]
    fn take(&mut self, at: usize, atom: &Atom, row: &[Word], id: u32) -> Run<bool> {
        if !self.matches(atom, row) {
            return Ok(false);
        }
        if at + 1 == self.steps.len() && !self.exists && self.pending.is_none() {
            if let Some(tail) = self.tail {
                for &out in tail {
                    self.out.push(match out {
                        Out::Reg(reg) => self.regs[usize::from(reg)],
                        Out::Column(column) => row[usize::from(column)],
                        Out::Const(word) => word,
                    });
                }
                return Ok(false);
            }
        }
        for &(column, reg) in &atom.binds {
            self.regs[usize::from(reg)] = row[usize::from(column)];
        }
        self.trail[at] = id;
        self.go(at + 1)
    }

    fn key(&self, atom: &Atom, buffer: &mut [Word; 16]) -> usize {
        for (place, &operand) in atom.key.iter().enumerate() {
            buffer[place] = self.operand(operand);
        }
        atom.key.len()
    }

    fn rows(&mut self, at: usize, atom: &'a Atom) -> Run<bool> {
        let relation = &self.relations[atom.relation];
        let cap = self.job.caps.get(at).copied().unwrap_or(ALL);
        if self.poisoned_atom(atom) {
            return self.rows_of_unknown(at, atom, relation, cap);
        }
        match atom.access {
            Access::Delta => match self.job.delta {
                Delta::Ids(ids) => {
                    for &id in ids {
                        if self.take(at, atom, relation.row(id), id)? {
                            return Ok(true);
                        }
                    }
                }
                Delta::Range(from, to) => {
                    for id in from..to {
                        if relation.alive(id) && self.take(at, atom, relation.row(id), id)? {
                            return Ok(true);
                        }
                    }
                }
                Delta::None => {}
            },
            Access::Scan => {
                for id in 0..relation.len().min(cap) {
                    if self.visible(relation, atom, id, cap)
                        && self.take(at, atom, relation.row(id), id)?
                    {
                        return Ok(true);
                    }
                }
            }
            Access::Primary if self.mode == Mode::Now => {
                let mut key = [NONE; 16];
                let width = self.key(atom, &mut key);
                if let Some(id) = relation.find(&key[..width]) {
                    if self.visible(relation, atom, id, cap) {
                        return self.take(at, atom, relation.row(id), id);
                    }
                }
            }
            Access::Primary => {
                let mut key = [NONE; 16];
                let width = self.key(atom, &mut key);
                let mut ids = Vec::new();
                relation.find_known(&key[..width], |id| {
                    if self.visible(relation, atom, id, cap) {
                        ids.push(id);
                    }
                    false
                });
                for id in ids {
                    if self.take(at, atom, relation.row(id), id)? {
                        return Ok(true);
                    }
                }
            }
            Access::Index(slot) => {
                let mut key = [NONE; 16];
                let width = self.key(atom, &mut key);
                let open = self.mode == Mode::Now
                    && cap == ALL
                    && self.rank == u64::MAX
                    && relation.whole();
                for ids in relation.rows_of(slot, &key[..width]).chunks(AHEAD) {
                    // Reading ahead lets the misses of many rows overlap.
                    let seen = ids.iter().fold(0, |seen, &id| seen ^ relation.row(id)[0]);
                    std::hint::black_box(seen);
                    for &id in ids {
                        if (open || self.visible(relation, atom, id, cap))
                            && self.take(at, atom, relation.row(id), id)?
                        {
                            return Ok(true);
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    /// All rows of an atom some of whose columns could not be computed: those agree.
    fn rows_of_unknown(
        &mut self,
        at: usize,
        atom: &Atom,
        relation: &Relation,
        cap: u32,
    ) -> Run<bool> {
        let keys = atom.columns.iter().copied().zip(atom.key.iter().copied());
        let checks = keys
            .chain(atom.checks.iter().copied())
            .filter(|&(_, operand)| !self.is_unknown(operand))
            .collect();
        let bare = Atom { checks, ..atom.clone() };
        let again: Vec<u16> = atom.binds.iter().map(|bind| bind.1).collect();
        let unknown = self.unknown.clone();
        // What a row gives is known from here on.
        self.unknown.retain(|reg| !again.contains(reg));
        let mut found = false;
        for id in 0..relation.len().min(cap) {
            if self.visible(relation, atom, id, cap) {
                found = self.take(at, &bare, relation.row(id), id)?;
                if found {
                    break;
                }
            }
        }
        self.unknown = unknown;
        Ok(found)
    }

    fn absent(&self, atom: &Atom) -> bool {
        let relation = &self.relations[atom.relation];
        let lost = self.mode == Mode::Lost;
        let there = |id: u32| {
            let seen = if lost { relation.kept(id) } else { relation.alive(id) };
            seen && self.matches(atom, relation.row(id))
        };
        let mut key = [NONE; 16];
        let width = self.key(atom, &mut key);
        match atom.access {
            Access::Scan | Access::Delta => !relation.ids().any(there),
            Access::Primary => !relation.find(&key[..width]).is_some_and(there),
            Access::Index(slot) => {
                !relation.rows_of(slot, &key[..width]).iter().any(|&id| there(id))
            }
        }
    }

    fn each(
        &mut self,
        at: usize,
        source: &'a Expr,
        count: usize,
        binds: &[(u16, u16)],
        same: &[(u16, Operand)],
        equal: &[(u16, Word)],
    ) -> Run<bool> {
        let regs = binds.iter().map(|bind| bind.1);
        let word = match source.eval(self.regs, self.env) {
            Ok(word) => word,
            Err(message) => return self.postpone(at, message, regs),
        };
        let items = match self.env.interner.value(word) {
            Value::None => return Ok(false),
            Value::Set(items) => items.to_vec(),
            Value::Tuple(items) => {
                let mut items = items.to_vec();
                items.sort_unstable_by(|&a, &b| self.env.interner.cmp(a, b));
                items.dedup();
                items
            }
            _ => {
                let message = format!("each: {} has no elements", self.env.repr(word));
                return self.postpone(at, message, regs);
            }
        };
        for item in items {
            let parts = if count == 1 {
                vec![item]
            } else {
                match self.env.interner.value(item) {
                    Value::Tuple(parts) if parts.len() == count => parts.to_vec(),
                    _ => {
                        let shown = self.env.repr(item);
                        let message = format!("each: the element {shown} is not a pair");
                        return self.postpone(at, message, regs);
                    }
                }
            };
            for &(place, reg) in binds {
                self.regs[usize::from(reg)] = parts[usize::from(place)];
            }
            if self.agrees(&parts, same, equal) && self.go(at + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn agrees(&self, parts: &[Word], same: &[(u16, Operand)], equal: &[(u16, Word)]) -> bool {
        let part = |place: u16| parts[usize::from(place)];
        same.iter().all(|&(place, operand)| {
            self.is_unknown(operand) || self.operand(operand) == part(place)
        }) && equal.iter().all(|&(place, word)| expr::equal(self.env.interner, word, part(place)))
    }

    fn emit(&mut self) -> Run<bool> {
        if let Some(message) = &self.pending {
            let message = message.clone();
            return self.stop(self.steps.len(), message);
        }
        if self.exists {
            return Ok(true);
        }
        let start = self.out.len();
        for arg in self.job.head {
            // a bottom makes no row before its column is asked whether it fits
            let value = match &arg.value {
                Expr::Conform(type_, misfit, inner) if arg.known => {
                    match inner.eval(self.regs, self.env) {
                        Ok(word) if word != NONE => self.env.conform(word, type_, *misfit),
                        other => other,
                    }
                }
                value => value.eval(self.regs, self.env),
            };
            match value {
                Ok(NONE) if arg.known => {
                    self.out.truncate(start);
                    return Ok(false);
                }
                Ok(word) => self.out.push(word),
                Err(message) => {
                    self.out.truncate(start);
                    return self.stop(self.steps.len(), message);
                }
            }
        }
        Ok(false)
    }

    /// Fails the tick with the body rows of the match so far, in the order of the rule's text.
    fn stop(&self, at: usize, message: String) -> Run<bool> {
        if self.mode == Mode::Lost || self.exists {
            return Ok(false);
        }
        let mut rows: Vec<(u16, usize, Vec<Word>)> = Vec::new();
        for (step, &id) in self.steps[..at].iter().zip(&*self.trail) {
            if let Step::Rows(atom) = step {
                let row = self.relations[atom.relation].row(id).to_vec();
                rows.push((atom.literal, atom.relation, row));
            }
        }
        rows.sort_by_key(|row| row.0);
        rows.dedup_by_key(|row| row.0);
        Err(Box::new(Fail {
            origins: vec![RULES + self.job.rule as u32],
            rows: rows.into_iter().map(|(_, rel, row)| (rel, row)).collect(),
            message,
        }))
    }
}
