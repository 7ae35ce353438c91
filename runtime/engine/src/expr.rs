//! Expressions over the registers of a match.
//!
//! `None` is a bottom: arithmetic keeps it and no order comparison holds with
//! it.  What goes wrong is a text; who evaluates adds the rule and the rows.

use crate::env::Env;
use crate::interner::Interner;
use crate::lattice::{self, Lattice, Type};
use crate::values::{bool_word, cmp_int_float, is_small_int, Value, Word, FALSE, NONE, TRUE};
use std::cmp::Ordering;

#[derive(Clone, Debug)]
pub enum Expr {
    Reg(u16),
    Const(Word),
    Neg(Box<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Arith(Arith, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    Merge(Option<Lattice>, Box<Expr>, Box<Expr>),
    /// User functions, lattice methods and chance: Python by its number.
    Call(usize, Vec<Expr>),
    Size(Box<Expr>),
    Here,
    Now,
    TickNumber,
    Tuple(Vec<Expr>),
    Set(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    /// A place of a tuple, in the form of a type.
    Field(Box<Field>),
    /// The form that a type's columns hold; the number finds the text of a misfit.
    Conform(Type, usize, Box<Expr>),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub of: Expr,
    pub place: usize,
    pub type_: Type,
    /// The number of the text of a misfit.
    pub misfit: usize,
    /// Of a lattice's value: `None` is its bottom, and nothing is known yet.
    pub lattice: bool,
}

impl Field {
    fn eval(&self, regs: &[Word], env: &mut Env) -> Eval {
        let word = self.of.eval(regs, env)?;
        let item = match env.interner.value(word) {
            Value::Tuple(items) => items.get(self.place).copied(),
            Value::None if self.lattice => return Ok(NONE),
            _ => None,
        };
        item.and_then(|item| env.fitted(item, &self.type_))
            .ok_or_else(|| env.misfit_text(self.misfit, word))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Floor,
    Mod,
    Truncate,
}

impl Arith {
    fn text(self) -> &'static str {
        match self {
            Arith::Add => "+",
            Arith::Sub => "-",
            Arith::Mul => "*",
            Arith::Div => "/",
            Arith::Floor => "//",
            Arith::Mod => "%",
            Arith::Truncate => "div",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

pub type Eval = Result<Word, String>;

impl Expr {
    #[inline(always)]
    pub fn eval(&self, regs: &[Word], env: &mut Env) -> Eval {
        match self {
            Expr::Reg(reg) => Ok(regs[usize::from(*reg)]),
            Expr::Const(word) => Ok(*word),
            _ => self.compute(regs, env),
        }
    }

    fn compute(&self, regs: &[Word], env: &mut Env) -> Eval {
        match self {
            Expr::Reg(reg) => Ok(regs[usize::from(*reg)]),
            Expr::Const(word) => Ok(*word),
            Expr::Neg(operand) => {
                let word = operand.eval(regs, env)?;
                match env.interner.value(word) {
                    Value::None => Ok(NONE),
                    Value::Int(value) => whole(env.interner, -i128::from(value)),
                    Value::Float(value) => Ok(env.interner.float(-value)),
                    _ => Err(format!("-{}: not a number", env.repr(word))),
                }
            }
            Expr::Not(operand) => {
                let value = operand.truth(regs, env)?;
                Ok(bool_word(!value))
            }
            Expr::And(left, right) => {
                Ok(bool_word(left.truth(regs, env)? && right.truth(regs, env)?))
            }
            Expr::Or(left, right) => {
                Ok(bool_word(left.truth(regs, env)? || right.truth(regs, env)?))
            }
            Expr::Arith(op, left, right) => {
                let (a, b) = (left.eval(regs, env)?, right.eval(regs, env)?);
                arithmetic(env, *op, a, b)
            }
            Expr::Compare(op, left, right) => {
                let (a, b) = (left.eval(regs, env)?, right.eval(regs, env)?);
                Ok(bool_word(compare(env.interner, *op, a, b)))
            }
            Expr::Merge(lattice, left, right) => {
                let (a, b) = (left.eval(regs, env)?, right.eval(regs, env)?);
                env.merge_values(lattice.as_ref(), a, b)
            }
            Expr::Call(number, args) => {
                let mut words = Vec::with_capacity(args.len());
                for arg in args {
                    words.push(arg.eval(regs, env)?);
                }
                env.call(*number, &words)
            }
            Expr::Size(of) => {
                let word = of.eval(regs, env)?;
                match lattice::length(env.interner, word) {
                    Some(length) => Ok(env.interner.int(length as i64)),
                    None => Err(format!("size({}): it has no size", env.repr(word))),
                }
            }
            Expr::Here => Ok(env.here),
            Expr::Now => Ok(env.interner.float(env.now)),
            Expr::TickNumber => Ok(env.interner.int(env.tick)),
            Expr::Tuple(items) => {
                let words = list(items, regs, env)?;
                Ok(env.interner.tuple(&words))
            }
            Expr::Set(items) => {
                let words = list(items, regs, env)?;
                Ok(env.interner.set(words))
            }
            Expr::Map(pairs) => {
                let mut words = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let pair = [key.eval(regs, env)?, value.eval(regs, env)?];
                    words.push(env.interner.tuple(&pair));
                }
                words.sort_by(|&a, &b| env.interner.cmp(a, b));
                Ok(env.interner.tuple(&words))
            }
            Expr::Field(field) => field.eval(regs, env),
            Expr::Conform(type_, misfit, inner) => {
                let word = inner.eval(regs, env)?;
                env.conform(word, type_, *misfit)
            }
        }
    }

    /// The value of a condition.
    #[inline]
    pub fn truth(&self, regs: &[Word], env: &mut Env) -> Result<bool, String> {
        if let Expr::Compare(op, left, right) = self {
            let (a, b) = (left.eval(regs, env)?, right.eval(regs, env)?);
            return Ok(compare(env.interner, *op, a, b));
        }
        match self.eval(regs, env)? {
            TRUE => Ok(true),
            FALSE => Ok(false),
            other => Err(format!("{} is used as a condition and is not a bool", env.repr(other))),
        }
    }
}

fn list(items: &[Expr], regs: &[Word], env: &mut Env) -> Result<Vec<Word>, String> {
    items.iter().map(|item| item.eval(regs, env)).collect()
}

fn whole(interner: &mut Interner, value: i128) -> Eval {
    match i64::try_from(value) {
        Ok(value) => Ok(interner.int(value)),
        Err(_) => Err(format!("int overflow: {value} does not fit 64 bits")),
    }
}

fn real(interner: &mut Interner, value: f64) -> Eval {
    if value.is_nan() {
        return Err("the result is not a number (NaN)".to_string());
    }
    Ok(interner.float(value))
}

fn arithmetic(env: &mut Env, op: Arith, a: Word, b: Word) -> Eval {
    if is_small_int(a) && is_small_int(b) {
        match op {
            // Two words of 61 bits cannot overflow 64.
            Arith::Add => return Ok(env.interner.int((a as i64 >> 3) + (b as i64 >> 3))),
            Arith::Sub => return Ok(env.interner.int((a as i64 >> 3) - (b as i64 >> 3))),
            _ => {}
        }
    }
    match (env.interner.value(a), env.interner.value(b)) {
        (Value::Str(x), Value::Str(y)) if op == Arith::Add => {
            let joined = [x.as_str(), y.as_str()].concat();
            Ok(env.interner.str(&joined))
        }
        (Value::Bytes(x), Value::Bytes(y)) if op == Arith::Add => {
            let joined = [x, y].concat();
            Ok(env.interner.bytes(&joined))
        }
        (Value::Tuple(x), Value::Tuple(y)) if op == Arith::Add => {
            let joined = [x, y].concat();
            Ok(env.interner.tuple(&joined))
        }
        (Value::None, _) | (_, Value::None) => Ok(NONE),
        (Value::Int(x), Value::Int(y)) => ints(env, op, x, y),
        (Value::Int(x), Value::Float(y)) => floats(env, op, a, b, x as f64, y),
        (Value::Float(x), Value::Int(y)) => floats(env, op, a, b, x, y as f64),
        (Value::Float(x), Value::Float(y)) => floats(env, op, a, b, x, y),
        _ => Err(format!("{} {} {}: not two numbers", env.repr(a), op.text(), env.repr(b))),
    }
}

/// Up to here every int is a float, and so a quotient is rounded once.
const EXACT: i64 = 1 << 53;

fn ints(env: &mut Env, op: Arith, x: i64, y: i64) -> Eval {
    let (a, b) = (i128::from(x), i128::from(y));
    if b == 0 && !matches!(op, Arith::Add | Arith::Sub | Arith::Mul) {
        return Err(format!("{x} {} {y}: division by zero", op.text()));
    }
    let value = match op {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        Arith::Mul => a * b,
        Arith::Div if x.abs_diff(0) <= EXACT as u64 && y.abs_diff(0) <= EXACT as u64 => {
            return real(env.interner, x as f64 / y as f64)
        }
        Arith::Div => return env.python_quotient(x, y),
        Arith::Floor => floor(a, b),
        Arith::Mod => a - b * floor(a, b),
        Arith::Truncate => a / b,
    };
    whole(env.interner, value)
}

fn floor(a: i128, b: i128) -> i128 {
    let quotient = a / b;
    if a % b != 0 && (a < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient
    }
}

fn floats(env: &mut Env, op: Arith, a: Word, b: Word, x: f64, y: f64) -> Eval {
    let value = match op {
        Arith::Add => x + y,
        Arith::Sub => x - y,
        Arith::Mul => x * y,
        Arith::Truncate => {
            return Err(format!("{} div {}: not two ints", env.repr(a), env.repr(b)))
        }
        _ if y == 0.0 => {
            return Err(format!("{} {} {}: division by zero", env.repr(a), op.text(), env.repr(b)))
        }
        Arith::Div => x / y,
        Arith::Floor => floor_and_mod(x, y).0,
        Arith::Mod => floor_and_mod(x, y).1,
    };
    real(env.interner, value)
}

/// As CPython's `float.__divmod__`.
fn floor_and_mod(x: f64, y: f64) -> (f64, f64) {
    let mut modulo = x % y;
    let mut quotient = (x - modulo) / y;
    if modulo != 0.0 {
        if (y < 0.0) != (modulo < 0.0) {
            modulo += y;
            quotient -= 1.0;
        }
    } else {
        modulo = 0.0f64.copysign(y);
    }
    let floor = if quotient != 0.0 {
        let floor = quotient.floor();
        if quotient - floor > 0.5 {
            floor + 1.0
        } else {
            floor
        }
    } else {
        0.0f64.copysign(x / y)
    };
    (floor, modulo)
}

/// Numbers compare numerically; a tie of an int and a float is equal.
fn numbers(interner: &Interner, a: Word, b: Word) -> Option<Ordering> {
    match (interner.value(a), interner.value(b)) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(&y)),
        (Value::Float(x), Value::Float(y)) => x.partial_cmp(&y),
        (Value::Int(x), Value::Float(y)) => Some(cmp_int_float(x, y)),
        (Value::Float(x), Value::Int(y)) => Some(cmp_int_float(y, x).reverse()),
        _ => None,
    }
}

pub fn equal(interner: &Interner, a: Word, b: Word) -> bool {
    a == b
        || !(is_small_int(a) && is_small_int(b)) && numbers(interner, a, b) == Some(Ordering::Equal)
}

pub fn compare(interner: &Interner, op: Compare, a: Word, b: Word) -> bool {
    match op {
        Compare::Eq => return equal(interner, a, b),
        Compare::Ne => return !equal(interner, a, b),
        _ => {}
    }
    if a == NONE || b == NONE {
        return false;
    }
    let order = numbers(interner, a, b).unwrap_or_else(|| interner.cmp(a, b));
    match op {
        Compare::Lt => order == Ordering::Less,
        Compare::Le => order != Ordering::Greater,
        Compare::Gt => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}
