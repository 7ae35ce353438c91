//! Rules with aggregates: matches are gathered by group and each group gives its rows.
//!
//! Such a rule fills a relation of its own.  When rows below change, only the
//! groups that gained or lost a match are computed anew, by queries bound to
//! the group.

use crate::env::Env;
use crate::exec::{Fail, Mode, Run};
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
            let mut found = Vec::new();
            let mut id = relation.first(0, group);
            while id != crate::index::END {
                if relation.alive(id) {
                    found.push(id);
                }
                id = relation.next(0, id);
            }
            found
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
    let mut rows = Vec::new();
    for members in groups.values() {
        let base = one_row(env, rule, aggregate, members)?;
        for found in members {
            let mut row = base.clone();
            for (place, column) in aggregate.columns.iter().enumerate() {
                if column.name == AggregateName::Index {
                    row[plain + place] = index(env, column, matches, found);
                }
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The rank of a match's value among those with the same other columns.
fn index(env: &mut Env, column: &AggregateColumn, matches: &[&[Word]], found: &[Word]) -> Word {
    let mut before: Vec<Word> = matches
        .iter()
        .filter(|other| column.others.iter().all(|&at| other[at] == found[at]))
        .map(|other| other[column.value])
        .filter(|&value| env.interner.cmp(value, found[column.value]) == Ordering::Less)
        .collect();
    before.sort_unstable();
    before.dedup();
    env.interner.int(before.len() as i64)
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
