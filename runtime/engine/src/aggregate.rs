//! Rules with aggregates: matches are gathered by group and each group gives its rows.
//!
//! Such a rule fills a relation of its own.  When rows below change, only the
//! groups that gained or lost a match are computed anew, by queries bound to
//! the group.

use crate::env::Env;
use crate::exec::{Fail, Mode, Run};
use crate::interner::Interner;
use crate::maintain::{Fixpoint, Source, RULES};
use crate::plan::{AggregateColumn, AggregateName, AggregatePlan, Kind};
use crate::relation::Relation;
use crate::values::{Value, Word, NONE};
use hashbrown::HashMap;
use std::cmp::Ordering;

type Groups<'m> = HashMap<&'m [Word], Vec<&'m [Word]>, Mixer>;

/// Hashes rows of words as relations do.
#[derive(Clone, Default)]
pub struct Mixer;

pub struct MixerState(u64);

impl std::hash::BuildHasher for Mixer {
    type Hasher = MixerState;

    fn build_hasher(&self) -> MixerState {
        MixerState(0)
    }
}

impl std::hash::Hasher for MixerState {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = crate::values::mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = crate::values::mix(self.0 ^ word);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

impl Fixpoint<'_, '_> {
    /// Brings an aggregate's relation up to date after its body's relations are.
    pub fn aggregate_view(&mut self, rule: usize) -> Run<()> {
        let plan = self.plan;
        let spec = &plan.rules[rule];
        let Some(aggregate) = &spec.aggregate else {
            return Ok(());
        };
        if self.first || spec.each_tick {
            return self.recount(rule);
        }
        if aggregate.running {
            return match self.carry_on(rule, aggregate) {
                Ok(()) => Ok(()),
                // A match between two states may fail where neither state does.
                Err(_) => self.recount(rule),
            };
        }
        let mut affected = Relation::new(aggregate.group, aggregate.group, false, false, 0);
        let width = spec.args.len();
        for delta in &spec.deltas {
            let relation = &self.relations[delta.relation];
            let came: Vec<u32> = relation.added().collect();
            let left: Vec<u32> = relation.removed().collect();
            let (gaining, losing) = if delta.negated { (left, came) } else { (came, left) };
            for (ids, mode) in [(gaining, Mode::Now), (losing, Mode::Lost)] {
                if ids.is_empty() {
                    continue;
                }
                let driver = Some(delta.literal);
                let source = Source::Ids(&ids);
                let found = self.collect(rule, &delta.steps, driver, source, mode, (0, &[]))?;
                for found in found.chunks_exact(width) {
                    let _ = affected.insert(&found[..aggregate.group], 0);
                }
            }
        }
        let Some(bound) = &spec.bound else {
            return self.recount(rule);
        };
        for group in affected.rows() {
            let preset = (bound.register, group);
            let matches = self.collect(rule, &bound.steps, None, Source::All, Mode::Now, preset)?;
            let matches: Vec<&[Word]> = matches.chunks_exact(width).collect();
            let rows = group_rows(&mut self.env, rule, aggregate, &matches)?;
            self.replace_group(spec.head, aggregate, group, rows)?;
        }
        Ok(())
    }

    /// Works the matches that came and went into the results of their groups.
    fn carry_on(&mut self, rule: usize, aggregate: &AggregatePlan) -> Run<()> {
        let plan = self.plan;
        let spec = &plan.rules[rule];
        let width = spec.args.len();
        let mut tallies: HashMap<Vec<Word>, Tally, Mixer> = HashMap::default();
        for delta in &spec.deltas {
            let relation = &self.relations[delta.relation];
            let came: Vec<u32> = relation.added().collect();
            let left: Vec<u32> = relation.removed().collect();
            for (ids, sign) in [(came, 1), (left, -1)] {
                if ids.is_empty() {
                    continue;
                }
                let driver = Some(delta.literal);
                let source = Source::Ids(&ids);
                let mode = Mode::Between;
                let found = self.collect(rule, &delta.steps, driver, source, mode, (0, &[]))?;
                for found in found.chunks_exact(width) {
                    let group = &found[..aggregate.group];
                    let columns = aggregate.columns.len();
                    let tally = tallies.entry_ref(group).or_insert_with(|| Tally::new(columns));
                    tally.take(self.env.interner, aggregate, found, sign);
                }
            }
        }
        for (group, tally) in tallies {
            let old = self.relations[spec.head].find(&group);
            let old = old.map(|id| self.relations[spec.head].row(id).to_vec());
            let rows = match tally.result(&mut self.env, aggregate, &group, old.as_deref()) {
                Some(row) => row.into_iter().collect(),
                None => self.group_anew(rule, aggregate, &group)?,
            };
            self.replace_group(spec.head, aggregate, &group, rows)?;
        }
        Ok(())
    }

    fn group_anew(
        &mut self,
        rule: usize,
        aggregate: &AggregatePlan,
        group: &[Word],
    ) -> Run<Vec<Vec<Word>>> {
        let spec = &self.plan.rules[rule];
        let Some(bound) = &spec.bound else {
            return Ok(Vec::new());
        };
        let preset = (bound.register, group);
        let matches = self.collect(rule, &bound.steps, None, Source::All, Mode::Now, preset)?;
        let matches: Vec<&[Word]> = matches.chunks_exact(spec.args.len()).collect();
        group_rows(&mut self.env, rule, aggregate, &matches)
    }

    /// Evaluates the rule in full and takes over what changed.
    pub fn recount(&mut self, rule: usize) -> Run<()> {
        let plan = self.plan;
        let spec = &plan.rules[rule];
        let Some(aggregate) = &spec.aggregate else {
            return Ok(());
        };
        let none = (0, &[][..]);
        let matches = self.collect(rule, &spec.full, None, Source::All, Mode::Now, none)?;
        let mut groups: Groups = HashMap::default();
        for found in matches.chunks_exact(spec.args.len()) {
            groups.entry(&found[..aggregate.group]).or_default().push(found);
        }
        if plan.relations[spec.head].kind == Kind::View {
            let gone: Vec<u32> = self.relations[spec.head]
                .ids()
                .filter(|&id| {
                    let row = self.relations[spec.head].row(id);
                    !groups.contains_key(&row[..aggregate.group])
                })
                .collect();
            for id in gone {
                self.relations[spec.head].remove(id);
            }
        }
        for (group, matches) in groups {
            let rows = group_rows(&mut self.env, rule, aggregate, &matches)?;
            self.replace_group(spec.head, aggregate, group, rows)?;
        }
        Ok(())
    }

    fn replace_group(
        &mut self,
        head: usize,
        aggregate: &AggregatePlan,
        group: &[Word],
        rows: Vec<Vec<Word>>,
    ) -> Run<()> {
        let relation = &mut self.relations[head];
        let old: Vec<u32> = if aggregate.ranks {
            let columns: Vec<u16> = (0..aggregate.group as u16).collect();
            relation.ensure_index(0, &columns);
            let found = relation.rows_of(0, group).iter().copied();
            found.filter(|&id| relation.alive(id)).collect()
        } else {
            relation.find(group).into_iter().collect()
        };
        for id in old {
            if !rows.iter().any(|row| relation.row(id) == row.as_slice()) {
                relation.remove(id);
            }
        }
        for row in rows {
            // An equal row may have stayed.
            let _ = relation.insert(&row, self.round);
        }
        Ok(())
    }
}

/// What came to one group and went from it.
struct Tally {
    count: i64,
    /// Per column: the change of a sum, or the best value that came.
    sums: Vec<i128>,
    best: Vec<Word>,
    /// Per column: the values that went.
    gone: Vec<Vec<Word>>,
    /// Something that cannot be carried on.
    unsure: bool,
}

impl Tally {
    fn new(columns: usize) -> Tally {
        Tally {
            count: 0,
            sums: vec![0; columns],
            best: vec![NONE; columns],
            gone: vec![Vec::new(); columns],
            unsure: false,
        }
    }

    fn take(&mut self, interner: &Interner, aggregate: &AggregatePlan, found: &[Word], sign: i64) {
        self.count += sign;
        for (place, column) in aggregate.columns.iter().enumerate() {
            let value = found[column.value];
            match (column.name, interner.value(value)) {
                (AggregateName::Count, _) => {}
                (AggregateName::Sum, Value::Int(int)) => {
                    self.sums[place] += i128::from(int) * i128::from(sign);
                }
                (AggregateName::Min | AggregateName::Max, Value::None) => self.unsure = true,
                (AggregateName::Min | AggregateName::Max, _) if sign < 0 => {
                    self.gone[place].push(value);
                }
                (AggregateName::Min | AggregateName::Max, _) => {
                    self.best[place] = better(interner, column.name, self.best[place], value);
                }
                _ => self.unsure = true,
            }
        }
    }

    /// The group's row now (None inside: it has no match left); None if the group has
    /// to be computed anew.
    fn result(
        &self,
        env: &mut Env,
        aggregate: &AggregatePlan,
        group: &[Word],
        old: Option<&[Word]>,
    ) -> Option<Option<Vec<Word>>> {
        let plain = aggregate.plain.len();
        let before = match old.map(|row| env.interner.value(row[row.len() - 1])) {
            Some(Value::Int(count)) => count,
            _ => 0,
        };
        let count = before + self.count;
        if self.unsure || count < 0 {
            return None;
        }
        if count == 0 {
            return Some(None);
        }
        let mut row = group.to_vec();
        for (place, column) in aggregate.columns.iter().enumerate() {
            let known = old.map_or(NONE, |row| row[plain + place]);
            let value = match (column.name, env.interner.value(known)) {
                (AggregateName::Count, _) => env.interner.int(count),
                (AggregateName::Sum, Value::Int(int)) => {
                    let sum = i64::try_from(i128::from(int) + self.sums[place]).ok()?;
                    env.interner.int(sum)
                }
                (AggregateName::Sum, _) if old.is_none() => {
                    let sum = i64::try_from(self.sums[place]).ok()?;
                    env.interner.int(sum)
                }
                (AggregateName::Sum, _) => return None,
                _ if old.is_some() && known == NONE => return None,
                _ if self.gone[place].contains(&known) => return None,
                // What came and went within the tick is nobody's extreme.
                _ if self.gone[place].contains(&self.best[place]) => return None,
                _ => better(env.interner, column.name, known, self.best[place]),
            };
            row.push(value);
        }
        row.push(env.interner.int(count));
        Some(Some(row))
    }
}

/// The greater or the less of two values; a bottom is neither.
fn better(interner: &Interner, name: AggregateName, a: Word, b: Word) -> Word {
    if a == NONE || b == NONE {
        return if a == NONE { b } else { a };
    }
    match (name, interner.cmp(a, b)) {
        (AggregateName::Min, Ordering::Greater) | (AggregateName::Max, Ordering::Less) => b,
        _ => a,
    }
}

/// The rows that one group's matches give; none of an empty group.
fn group_rows(
    env: &mut Env,
    rule: usize,
    aggregate: &AggregatePlan,
    matches: &[&[Word]],
) -> Run<Vec<Vec<Word>>> {
    if matches.is_empty() {
        return Ok(Vec::new());
    }
    if !aggregate.ranks {
        return Ok(vec![one_row(env, rule, aggregate, matches)?]);
    }
    let plain = aggregate.plain.len();
    let mut groups: Groups = HashMap::default();
    for &found in matches {
        groups.entry(&found[..plain]).or_default().push(found);
    }
    let ranked: Vec<Option<Ranks>> = aggregate
        .columns
        .iter()
        .map(|column| (column.name == AggregateName::Index).then(|| ranks(env, column, matches)))
        .collect();
    let mut rows = Vec::new();
    for members in groups.values() {
        let base = one_row(env, rule, aggregate, members)?;
        for found in members {
            let mut row = base.clone();
            for (place, (column, ranks)) in aggregate.columns.iter().zip(&ranked).enumerate() {
                if let Some(ranks) = ranks {
                    let others: Vec<Word> = column.others.iter().map(|&at| found[at]).collect();
                    let value = found[column.value];
                    let rank = ranks.get(&others).map_or(0, |sorted| {
                        sorted.partition_point(|&other| {
                            env.interner.cmp(other, value) == Ordering::Less
                        })
                    });
                    row[plain + place] = env.interner.int(rank as i64);
                }
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

type Ranks = HashMap<Vec<Word>, Vec<Word>, Mixer>;

/// The different values, in order, among the matches with the same other columns.
fn ranks(env: &Env, column: &AggregateColumn, matches: &[&[Word]]) -> Ranks {
    let mut found = Ranks::default();
    for row in matches {
        let others = column.others.iter().map(|&at| row[at]).collect();
        found.entry(others).or_default().push(row[column.value]);
    }
    for values in found.values_mut() {
        values.sort_unstable_by(|&a, &b| env.interner.cmp(a, b));
        values.dedup();
    }
    found
}

fn one_row(
    env: &mut Env,
    rule: usize,
    aggregate: &AggregatePlan,
    matches: &[&[Word]],
) -> Run<Vec<Word>> {
    let plain = aggregate.plain.len();
    let mut row = matches[0][..plain].to_vec();
    for column in &aggregate.columns {
        let value = fold(env, aggregate, column, matches).map_err(|message| {
            Box::new(Fail { origins: vec![RULES + rule as u32], rows: Vec::new(), message })
        })?;
        row.push(value);
    }
    if aggregate.running {
        row.push(env.interner.int(matches.len() as i64));
    }
    Ok(row)
}

fn fold(
    env: &mut Env,
    aggregate: &AggregatePlan,
    column: &AggregateColumn,
    matches: &[&[Word]],
) -> Result<Word, String> {
    let values = || matches.iter().map(|found| found[column.value]);
    let known = || values().filter(|&value| value != NONE);
    Ok(match column.name {
        AggregateName::Count => env.interner.int(matches.len() as i64),
        AggregateName::CountDistinct => {
            let mut all: Vec<Word> = values().collect();
            all.sort_unstable();
            all.dedup();
            env.interner.int(all.len() as i64)
        }
        AggregateName::Sum => sum(env, &known().collect::<Vec<_>>(), false)?,
        AggregateName::Avg => sum(env, &known().collect::<Vec<_>>(), true)?,
        AggregateName::Min => known().min_by(|&a, &b| env.interner.cmp(a, b)).unwrap_or(NONE),
        AggregateName::Max => known().max_by(|&a, &b| env.interner.cmp(a, b)).unwrap_or(NONE),
        AggregateName::ArgMax | AggregateName::ArgMin => {
            let order = |a: &&&[Word], b: &&&[Word]| {
                env.interner
                    .cmp(a[column.by], b[column.by])
                    .then_with(|| env.interner.cmp(a[column.value], b[column.value]))
            };
            let best = match column.name {
                AggregateName::ArgMax => matches.iter().max_by(order),
                _ => matches.iter().min_by(order),
            };
            best.map_or(NONE, |found| found[column.value])
        }
        AggregateName::Collect => {
            let mut all: Vec<Word> = values().collect();
            all.sort_unstable_by(|&a, &b| env.interner.cmp(a, b));
            all.dedup();
            env.interner.tuple(&all)
        }
        AggregateName::Choose => {
            let group: Vec<Word> = aggregate.plain.iter().map(|&at| matches[0][at]).collect();
            let mut best: Option<(Vec<u8>, Word)> = None;
            for value in values() {
                let priority = env.priority(aggregate.rule, &group, value)?;
                let better = best.as_ref().is_none_or(|(known, chosen)| {
                    priority.cmp(known).then_with(|| env.interner.cmp(value, *chosen))
                        == Ordering::Less
                });
                if better {
                    best = Some((priority, value));
                }
            }
            best.map_or(NONE, |(_, value)| value)
        }
        AggregateName::Index => NONE,
    })
}

/// Exact for ints; for floats the exactly rounded sum, whatever the order.
fn sum(env: &mut Env, values: &[Word], mean: bool) -> Result<Word, String> {
    if values.is_empty() {
        return Ok(NONE);
    }
    let mut total = 0i128;
    let mut floats = Vec::new();
    for &value in values {
        match env.interner.value(value) {
            Value::Int(int) => {
                total += i128::from(int);
                floats.push(int as f64);
            }
            Value::Float(float) => floats.push(float),
            _ => return Err(format!("sum of {}, which is not a number", env.repr(value))),
        }
    }
    let all_ints = values.iter().all(|&value| matches!(env.interner.value(value), Value::Int(_)));
    if all_ints && mean {
        return env.python_mean(total, values.len());
    }
    if all_ints {
        return match i64::try_from(total) {
            Ok(total) => Ok(env.interner.int(total)),
            Err(_) => Err(format!("int overflow: {total} does not fit 64 bits")),
        };
    }
    let total = env.exact_sum(&floats)?;
    let value = if mean { total / values.len() as f64 } else { total };
    if value.is_nan() {
        return Err("the result is not a number (NaN)".to_string());
    }
    Ok(env.interner.float(value))
}
