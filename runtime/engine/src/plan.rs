//! The plan as `bloomish.runtime.plan` hands it over: dataclasses and nested tuples, read
//! once into what the rest of the engine runs.

use crate::exec::{Access, Atom, HeadArg, Operand, Step, Steps};
use crate::expr::{Arith, Compare, Expr, Field};
use crate::interner::Interner;
use crate::lattice::{Lattice, Type};
use crate::python::from_python;
use crate::values::Word;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Filled from outside the rules.
    Base,
    /// Rows that `<=` put there stay.
    Table,
    /// Follows its rules from tick to tick.
    View,
    /// Empty at the start of each tick.
    Event,
}

pub struct RelationPlan {
    pub name: String,
    pub arity: usize,
    pub key: usize,
    pub kind: Kind,
    /// Emptied before each tick.
    pub ephemeral: bool,
    /// An ephemeral relation whose changes from tick to tick others follow.
    pub tracked: bool,
    pub ranked: bool,
    /// Its rows remember who put them there.
    pub sourced: bool,
    /// Two rows of one key with different plain values fail the tick.
    pub plain: Vec<usize>,
    pub merges: Vec<(usize, Lattice)>,
    pub indexes: Vec<Vec<u16>>,
    pub types: Vec<Type>,
}

pub struct DeltaPlan {
    pub literal: u16,
    pub relation: usize,
    pub negated: bool,
    pub same: bool,
    pub steps: Steps,
}

/// Is a given head row (or key) derived: the head's first columns are preset.
pub struct BoundPlan {
    pub width: usize,
    pub register: usize,
    pub steps: Steps,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AggregateName {
    Count,
    CountDistinct,
    Sum,
    Min,
    Max,
    Avg,
    ArgMax,
    ArgMin,
    Collect,
    Choose,
    Index,
}

/// One aggregate: where its value and `by` stand in a match.
pub struct AggregateColumn {
    pub name: AggregateName,
    pub value: usize,
    pub by: usize,
    /// For `index`: the plain columns that are not its own.
    pub others: Vec<usize>,
}

/// A match is the plain head columns, the group's first, then the aggregates' values.
/// The relation it fills has the plain columns in the same order, then the results.
pub struct AggregatePlan {
    pub group: usize,
    /// Plain head columns, as places in a match, in head order.
    pub plain: Vec<usize>,
    pub columns: Vec<AggregateColumn>,
    pub ranks: bool,
    pub rule: usize,
    /// The results are carried on; a last column counts the group's matches.
    pub running: bool,
}

pub struct RulePlan {
    pub name: String,
    pub head: usize,
    pub registers: usize,
    /// Evaluated at each tick; others follow the changes of what they read.
    pub each_tick: bool,
    pub args: Vec<HeadArg>,
    pub full: Steps,
    pub deltas: Vec<DeltaPlan>,
    pub bound: Option<BoundPlan>,
    pub aggregate: Option<AggregatePlan>,
    /// Relations of the positive literals: one that is empty makes no match.
    pub reads: Vec<usize>,
    /// The relation whose rows it hands on as they are.
    pub copies: Option<usize>,
}

#[derive(FromPyObject)]
pub struct StratumPlan {
    pub relations: Vec<usize>,
    pub rules: Vec<usize>,
    pub recursive: bool,
}

/// A table and the relations that hold what is staged for it.
#[derive(FromPyObject)]
pub struct TablePlan {
    pub relation: usize,
    pub name: String,
    pub durable: bool,
    pub minus: Vec<usize>,
    pub replace: Vec<usize>,
    /// With the index slot of the table's key columns, or none for a set of rows.
    pub plus: Vec<(usize, Option<usize>)>,
}

/// `<+` rows of a collection without memory.
#[derive(FromPyObject)]
pub struct StagedPlan {
    pub events: Option<(usize, usize)>,
    pub view: Option<(usize, usize)>,
    /// The collection's own relation, for its key.
    pub relation: usize,
}

#[derive(FromPyObject)]
pub struct SendPlan {
    pub wire: String,
    pub channel: usize,
    pub standing: Option<usize>,
    pub events: Option<usize>,
}

#[derive(FromPyObject)]
pub struct OutputPlan {
    pub name: String,
    pub events: Option<usize>,
    pub view: Option<usize>,
}

#[derive(FromPyObject)]
pub struct ArrivalPlan {
    pub name: String,
    pub relation: usize,
    /// A channel's name between nodes.
    pub wire: Option<String>,
}

pub struct FactsPlan {
    pub relation: usize,
    pub rows: Vec<Word>,
    pub at: Option<i64>,
    /// Of a table: at the first tick only; of a durable one, not after `load`.
    pub table: bool,
    pub durable: bool,
    pub roster: bool,
}

pub struct Plan {
    pub relations: Vec<RelationPlan>,
    pub rules: Vec<RulePlan>,
    pub strata: Vec<StratumPlan>,
    pub tables: Vec<TablePlan>,
    pub staged: Vec<StagedPlan>,
    pub sends: Vec<SendPlan>,
    pub outputs: Vec<OutputPlan>,
    pub arrivals: Vec<ArrivalPlan>,
    pub facts: Vec<FactsPlan>,
    pub contents: Vec<(String, usize)>,
    /// The last tick number that a rule or fact names.
    pub last_time: i64,
}

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

fn bad(what: &str) -> PyErr {
    PyValueError::new_err(format!("plan: {what}"))
}

fn parts<'py>(value: Any<'_, 'py>) -> PyResult<(String, Vec<Bound<'py, PyAny>>)> {
    let tuple = value.cast::<PyTuple>().map_err(|_| bad("a tuple was expected"))?;
    let mut items: Vec<Bound<'py, PyAny>> = tuple.iter().collect();
    let tag = items.remove(0).extract()?;
    Ok((tag, items))
}

fn list<'py>(value: Any<'_, 'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    value.try_iter()?.collect()
}

pub fn read_type(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Type> {
    let (tag, items) = parts(value)?;
    Ok(match tag.as_str() {
        "int" => Type::Int,
        "float" => Type::Float,
        "str" => Type::Str,
        "bytes" => Type::Bytes,
        "bool" => Type::Bool,
        "any" => Type::Any,
        "tuple" => Type::Tuple(
            items.iter().map(|item| read_type(item, interner)).collect::<PyResult<_>>()?,
        ),
        _ => Type::Lattice(Box::new(read_lattice(value, interner)?)),
    })
}

pub fn read_lattice(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Lattice> {
    let (tag, items) = parts(value)?;
    let lattice =
        |place: usize, interner: &mut Interner| read_lattice(&items[place], interner).map(Box::new);
    Ok(match tag.as_str() {
        "Max" => Lattice::Max(read_type(&items[0], interner)?),
        "Min" => Lattice::Min(read_type(&items[0], interner)?),
        "Bool" => Lattice::Bool,
        "SetUnion" => Lattice::Set(read_type(&items[0], interner)?),
        "MapUnion" => Lattice::Map(read_type(&items[0], interner)?, lattice(1, interner)?),
        "Pair" => Lattice::Pair(lattice(0, interner)?, lattice(1, interner)?),
        "Lex" => Lattice::Lex(lattice(0, interner)?, lattice(1, interner)?),
        "Antichain" => Lattice::Antichain(lattice(0, interner)?, read_type(&items[1], interner)?),
        "user" => {
            let bottom = constant(&items[1], interner)?;
            Lattice::User(items[0].extract()?, bottom, read_type(&items[2], interner)?)
        }
        _ => return Err(bad(&tag)),
    })
}

fn constant(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Word> {
    let word = from_python(interner, value).map_err(PyValueError::new_err)?;
    interner.pin(word);
    Ok(word)
}

fn optional_type(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Option<Type>> {
    if value.is_none() {
        return Ok(None);
    }
    read_type(value, interner).map(Some)
}

fn read_expr(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Expr> {
    let (tag, items) = parts(value)?;
    let sub =
        |place: usize, interner: &mut Interner| read_expr(&items[place], interner).map(Box::new);
    let exprs = |place: usize, interner: &mut Interner| -> PyResult<Vec<Expr>> {
        list(&items[place])?.iter().map(|item| read_expr(item, interner)).collect()
    };
    Ok(match tag.as_str() {
        "reg" => Expr::Reg(items[0].extract()?),
        "const" => Expr::Const(constant(&items[0], interner)?),
        "neg" => Expr::Neg(sub(0, interner)?),
        "not" => Expr::Not(sub(0, interner)?),
        "binary" => read_binary(&items, interner)?,
        "merge" => {
            let lattice = match items[0].is_none() {
                true => None,
                false => Some(read_lattice(&items[0], interner)?),
            };
            Expr::Merge(lattice, sub(1, interner)?, sub(2, interner)?)
        }
        "call" => Expr::Call(items[0].extract()?, exprs(1, interner)?),
        "size" => Expr::Size(sub(0, interner)?),
        "here" => Expr::Here,
        "now" => Expr::Now,
        "tick" => Expr::TickNumber,
        "tuple" => Expr::Tuple(exprs(0, interner)?),
        "set" => Expr::Set(exprs(0, interner)?),
        "map" => {
            let mut pairs = Vec::new();
            for pair in list(&items[0])? {
                let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
                pairs.push((read_expr(&key, interner)?, read_expr(&value, interner)?));
            }
            Expr::Map(pairs)
        }
        "field" => Expr::Field(Box::new(Field {
            place: items[0].extract()?,
            type_: read_type(&items[1], interner)?,
            misfit: items[2].extract()?,
            lattice: items[3].extract()?,
            of: read_expr(&items[4], interner)?,
        })),
        "conform" => {
            Expr::Conform(read_type(&items[0], interner)?, items[1].extract()?, sub(2, interner)?)
        }
        _ => return Err(bad(&tag)),
    })
}

fn read_binary(items: &[Bound<'_, PyAny>], interner: &mut Interner) -> PyResult<Expr> {
    let op: String = items[0].extract()?;
    let left = Box::new(read_expr(&items[1], interner)?);
    let right = Box::new(read_expr(&items[2], interner)?);
    let arith = match op.as_str() {
        "and" => return Ok(Expr::And(left, right)),
        "or" => return Ok(Expr::Or(left, right)),
        "==" => return Ok(Expr::Compare(Compare::Eq, left, right)),
        "!=" => return Ok(Expr::Compare(Compare::Ne, left, right)),
        "<" => return Ok(Expr::Compare(Compare::Lt, left, right)),
        "<=" => return Ok(Expr::Compare(Compare::Le, left, right)),
        ">" => return Ok(Expr::Compare(Compare::Gt, left, right)),
        ">=" => return Ok(Expr::Compare(Compare::Ge, left, right)),
        "+" => Arith::Add,
        "-" => Arith::Sub,
        "*" => Arith::Mul,
        "/" => Arith::Div,
        "//" => Arith::Floor,
        "%" => Arith::Mod,
        "div" => Arith::Truncate,
        _ => return Err(bad(&op)),
    };
    Ok(Expr::Arith(arith, left, right))
}

fn read_operand(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Operand> {
    match read_expr(value, interner)? {
        Expr::Reg(reg) => Ok(Operand::Reg(reg)),
        Expr::Const(word) => Ok(Operand::Const(word)),
        _ => Err(bad("an operand is a register or a constant")),
    }
}

fn read_atom(items: &[Bound<'_, PyAny>], interner: &mut Interner) -> PyResult<Atom> {
    let access: i64 = items[4].extract()?;
    let mut key = Vec::new();
    for operand in list(&items[6])? {
        key.push(read_operand(&operand, interner)?);
    }
    let mut checks = Vec::new();
    for check in list(&items[8])? {
        let (column, operand): (u16, Bound<'_, PyAny>) = check.extract()?;
        checks.push((column, read_operand(&operand, interner)?));
    }
    Ok(Atom {
        literal: items[0].extract()?,
        relation: items[1].extract()?,
        same: items[2].extract()?,
        ordered: items[3].extract()?,
        access: match access {
            -1 => Access::Scan,
            -2 => Access::Primary,
            -3 => Access::Delta,
            slot => Access::Index(slot as usize),
        },
        columns: items[5].extract::<Vec<u16>>()?.into(),
        key: key.into(),
        binds: items[7].extract::<Vec<(u16, u16)>>()?.into(),
        checks: checks.into(),
        equal: items[9].extract::<Vec<(u16, u16)>>()?.into(),
    })
}

fn read_step(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Step> {
    let (tag, items) = parts(value)?;
    let uses = |place: usize| items[place].extract::<Vec<u16>>().map(Into::into);
    Ok(match tag.as_str() {
        "rows" => Step::Rows(read_atom(&items, interner)?),
        "absent" => Step::Absent(read_atom(&items, interner)?),
        "test" => Step::Test { test: read_expr(&items[0], interner)?, uses: uses(1)? },
        "same" => Step::Same {
            reg: items[0].extract()?,
            value: read_expr(&items[1], interner)?,
            type_: optional_type(&items[2], interner)?,
            uses: uses(3)?,
        },
        "let" => Step::Let {
            reg: items[0].extract()?,
            value: read_expr(&items[1], interner)?,
            type_: optional_type(&items[2], interner)?,
            uses: uses(3)?,
        },
        "each" => {
            let mut same = Vec::new();
            for pair in list(&items[4])? {
                let (place, operand): (u16, Bound<'_, PyAny>) = pair.extract()?;
                same.push((place, read_operand(&operand, interner)?));
            }
            let mut equal = Vec::new();
            for pair in list(&items[5])? {
                let (place, operand): (u16, Bound<'_, PyAny>) = pair.extract()?;
                match read_operand(&operand, interner)? {
                    Operand::Const(word) => equal.push((place, word)),
                    Operand::Reg(_) => return Err(bad("each: a constant was expected")),
                }
            }
            Step::Each {
                source: read_expr(&items[1], interner)?,
                count: items[2].extract()?,
                binds: items[3].extract::<Vec<(u16, u16)>>()?.into(),
                same: same.into(),
                equal: equal.into(),
                uses: uses(6)?,
            }
        }
        _ => return Err(bad(&tag)),
    })
}

fn read_steps(value: Any<'_, '_>, head: &[HeadArg], interner: &mut Interner) -> PyResult<Steps> {
    let steps =
        list(value)?.iter().map(|step| read_step(step, interner)).collect::<PyResult<_>>()?;
    Ok(Steps::new(steps, head))
}

fn read_relation(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<RelationPlan> {
    let kind: String = value.getattr("kind")?.extract()?;
    let mut merges = Vec::new();
    for merge in list(&value.getattr("merges")?)? {
        let (column, lattice): (usize, Bound<'_, PyAny>) = merge.extract()?;
        merges.push((column, read_lattice(&lattice, interner)?));
    }
    let mut types = Vec::new();
    for type_ in list(&value.getattr("types")?)? {
        types.push(read_type(&type_, interner)?);
    }
    Ok(RelationPlan {
        name: value.getattr("name")?.extract()?,
        arity: value.getattr("arity")?.extract()?,
        key: value.getattr("key")?.extract()?,
        kind: match kind.as_str() {
            "base" => Kind::Base,
            "table" => Kind::Table,
            "view" => Kind::View,
            "event" => Kind::Event,
            _ => return Err(bad(&kind)),
        },
        ephemeral: value.getattr("ephemeral")?.extract()?,
        tracked: value.getattr("tracked")?.extract()?,
        ranked: value.getattr("ranked")?.extract()?,
        sourced: value.getattr("sourced")?.extract()?,
        plain: value.getattr("plain")?.extract()?,
        merges,
        indexes: value.getattr("indexes")?.extract()?,
        types,
    })
}

fn read_aggregate(value: Any<'_, '_>) -> PyResult<AggregatePlan> {
    let mut columns = Vec::new();
    for column in list(&value.getattr("columns")?)? {
        let (name, at, by, others): (String, usize, usize, Vec<usize>) = column.extract()?;
        let name = match name.as_str() {
            "count" => AggregateName::Count,
            "count distinct" => AggregateName::CountDistinct,
            "sum" => AggregateName::Sum,
            "min" => AggregateName::Min,
            "max" => AggregateName::Max,
            "avg" => AggregateName::Avg,
            "argmax" => AggregateName::ArgMax,
            "argmin" => AggregateName::ArgMin,
            "collect" => AggregateName::Collect,
            "choose" => AggregateName::Choose,
            "index" => AggregateName::Index,
            _ => return Err(bad(&name)),
        };
        columns.push(AggregateColumn { name, value: at, by, others });
    }
    Ok(AggregatePlan {
        group: value.getattr("group")?.extract()?,
        plain: value.getattr("plain")?.extract()?,
        ranks: columns.iter().any(|c| c.name == AggregateName::Index),
        columns,
        rule: value.getattr("rule")?.extract()?,
        running: value.getattr("running")?.extract()?,
    })
}

fn read_rule(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<RulePlan> {
    let mut args = Vec::new();
    for arg in list(&value.getattr("args")?)? {
        let (expr, known): (Bound<'_, PyAny>, bool) = arg.extract()?;
        args.push(HeadArg { value: read_expr(&expr, interner)?, known });
    }
    let mut deltas = Vec::new();
    for delta in list(&value.getattr("deltas")?)? {
        deltas.push(DeltaPlan {
            literal: delta.getattr("literal")?.extract()?,
            relation: delta.getattr("relation")?.extract()?,
            negated: delta.getattr("negated")?.extract()?,
            same: delta.getattr("same")?.extract()?,
            steps: read_steps(&delta.getattr("steps")?, &args, interner)?,
        });
    }
    let bound = value.getattr("bound")?;
    let aggregate = value.getattr("aggregate")?;
    Ok(RulePlan {
        name: value.getattr("name")?.extract()?,
        head: value.getattr("head")?.extract()?,
        registers: value.getattr("registers")?.extract()?,
        each_tick: value.getattr("each_tick")?.extract()?,
        full: read_steps(&value.getattr("full")?, &args, interner)?,
        deltas,
        bound: match bound.is_none() {
            true => None,
            false => Some(BoundPlan {
                width: bound.getattr("width")?.extract()?,
                register: bound.getattr("register")?.extract()?,
                steps: read_steps(&bound.getattr("steps")?, &args, interner)?,
            }),
        },
        aggregate: match aggregate.is_none() {
            true => None,
            false => Some(read_aggregate(&aggregate)?),
        },
        reads: value.getattr("reads")?.extract()?,
        copies: value.getattr("copies")?.extract()?,
        args,
    })
}

fn read_facts(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<FactsPlan> {
    let mut rows = Vec::new();
    for row in list(&value.getattr("rows")?)? {
        for item in list(&row)? {
            rows.push(constant(&item, interner)?);
        }
    }
    Ok(FactsPlan {
        relation: value.getattr("relation")?.extract()?,
        rows,
        at: value.getattr("at")?.extract()?,
        table: value.getattr("table")?.extract()?,
        durable: value.getattr("durable")?.extract()?,
        roster: value.getattr("roster")?.extract()?,
    })
}

/// Reads a `bloomish.runtime.plan.Plan`.
pub fn read_plan(value: Any<'_, '_>, interner: &mut Interner) -> PyResult<Plan> {
    let each = |name: &str| list(&value.getattr(name)?);
    let mut relations = Vec::new();
    for relation in each("relations")? {
        relations.push(read_relation(&relation, interner)?);
    }
    let mut rules = Vec::new();
    for rule in each("rules")? {
        rules.push(read_rule(&rule, interner)?);
    }
    let mut facts = Vec::new();
    for fact in each("facts")? {
        facts.push(read_facts(&fact, interner)?);
    }
    Ok(Plan {
        relations,
        rules,
        facts,
        strata: value.getattr("strata")?.extract()?,
        tables: value.getattr("tables")?.extract()?,
        staged: value.getattr("staged")?.extract()?,
        sends: value.getattr("sends")?.extract()?,
        outputs: value.getattr("outputs")?.extract()?,
        arrivals: value.getattr("arrivals")?.extract()?,
        contents: value.getattr("contents")?.extract()?,
        last_time: value.getattr("last_time")?.extract()?,
    })
}
