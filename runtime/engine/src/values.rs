//! Values as 64-bit words that say themselves what they are.
//!
//! Small ints, most floats, `None`, bools and strings of up to seven bytes are
//! the word; everything else is a handle of the [`Interner`].  Every value has
//! exactly one word, so equality of values, of any column, is equality of
//! words; the order of values is [`Interner::cmp`].

use crate::interner::{Interner, Obj};
use std::cmp::Ordering;

pub type Word = u64;

const TAG: u64 = 7;
const INT: u64 = 0;
const OBJ: u64 = 1;
const FLOAT: u64 = 2;
const CONST: u64 = 3;
const SHORT: u64 = 4;

pub const NONE: Word = CONST;
pub const FALSE: Word = CONST | 8;
pub const TRUE: Word = CONST | 16;
const SHORT_LIMIT: usize = 7;
const INT_LIMIT: i64 = 1 << 60;

pub fn bool_word(value: bool) -> Word {
    if value {
        TRUE
    } else {
        FALSE
    }
}

/// A small int as a word; larger ones are interned.
pub fn small_int(value: i64) -> Option<Word> {
    (-INT_LIMIT..INT_LIMIT).contains(&value).then_some((value << 3) as u64)
}

/// A float whose last three bits are clear as a word; others are interned.
pub fn small_float(value: f64) -> Option<Word> {
    let bits = value.to_bits();
    (bits & TAG == 0).then_some(bits | FLOAT)
}

pub fn short_str(bytes: &[u8]) -> Option<Word> {
    if bytes.len() > SHORT_LIMIT {
        return None;
    }
    let mut word = [0u8; 8];
    word[1..=bytes.len()].copy_from_slice(bytes);
    word[0] = (SHORT | (bytes.len() as u64) << 3) as u8;
    Some(u64::from_le_bytes(word))
}

pub fn handle_word(handle: u32) -> Word {
    u64::from(handle) << 3 | OBJ
}

pub fn is_small_int(word: Word) -> bool {
    word & TAG == INT
}

pub fn handle_of(word: Word) -> Option<u32> {
    (word & TAG == OBJ).then_some((word >> 3) as u32)
}

/// A word taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Text<'a>),
    Bytes(&'a [u8]),
    Tuple(&'a [Word]),
    Set(&'a [Word]),
}

/// A string inside its word or in the interner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Text<'a> {
    Short([u8; 8]),
    Long(&'a str),
}

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Text::Short(word) => {
                let len = usize::from(word[0] >> 3);
                std::str::from_utf8(&word[1..=len]).unwrap_or("")
            }
            Text::Long(text) => text,
        }
    }
}

/// Equality of short rows: a call to memcmp costs more than the rows are long.
#[inline(always)]
pub fn same_words(a: &[Word], b: &[Word]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y)
}

/// Mixes a word well enough for tables whose size is a power of two.
#[inline(always)]
pub fn mix(word: u64) -> u64 {
    let wide = u128::from(word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93_u128;
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[inline(always)]
pub fn hash_words(words: &[Word]) -> u64 {
    let mut hash = 0;
    for &word in words {
        hash = mix(word ^ hash);
    }
    hash
}

impl Interner {
    pub fn value(&self, word: Word) -> Value<'_> {
        match word & TAG {
            INT => Value::Int((word as i64) >> 3),
            FLOAT => Value::Float(f64::from_bits(word & !TAG)),
            SHORT => Value::Str(Text::Short(word.to_le_bytes())),
            OBJ => match self.object((word >> 3) as u32) {
                Obj::Int(value) => Value::Int(*value),
                Obj::Float(value) => Value::Float(*value),
                Obj::Str(text) => Value::Str(Text::Long(text)),
                Obj::Bytes(bytes) => Value::Bytes(bytes),
                Obj::Tuple(items) => Value::Tuple(items),
                Obj::Set(items) => Value::Set(items),
                Obj::Free => Value::None,
            },
            _ => match word {
                FALSE => Value::Bool(false),
                TRUE => Value::Bool(true),
                _ => Value::None,
            },
        }
    }

    pub fn tuple_items(&self, word: Word) -> &[Word] {
        match self.value(word) {
            Value::Tuple(items) => items,
            _ => &[],
        }
    }

    pub fn set_items(&self, word: Word) -> &[Word] {
        match self.value(word) {
            Value::Set(items) => items,
            _ => &[],
        }
    }

    /// The value order (`bloomish.order`): None, bools, numbers, str, bytes, tuples, sets.
    pub fn cmp(&self, a: Word, b: Word) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        if is_small_int(a) && is_small_int(b) {
            return (a as i64).cmp(&(b as i64));
        }
        let (left, right) = (self.value(a), self.value(b));
        match (&left, &right) {
            (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
            (Value::Int(x), Value::Int(y)) => x.cmp(y),
            (Value::Float(x), Value::Float(y)) => x.total_cmp(y),
            (Value::Int(x), Value::Float(y)) => cmp_int_float(*x, *y).then(Ordering::Less),
            (Value::Float(x), Value::Int(y)) => {
                cmp_int_float(*y, *x).reverse().then(Ordering::Greater)
            }
            (Value::Str(x), Value::Str(y)) => x.as_str().as_bytes().cmp(y.as_str().as_bytes()),
            (Value::Bytes(x), Value::Bytes(y)) => x.cmp(y),
            (Value::Tuple(x), Value::Tuple(y)) | (Value::Set(x), Value::Set(y)) => {
                self.cmp_rows(x, y)
            }
            _ => rank(&left).cmp(&rank(&right)),
        }
    }

    pub fn cmp_rows(&self, a: &[Word], b: &[Word]) -> Ordering {
        for (&x, &y) in a.iter().zip(b) {
            match self.cmp(x, y) {
                Ordering::Equal => {}
                different => return different,
            }
        }
        a.len().cmp(&b.len())
    }
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::None => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Str(_) => 3,
        Value::Bytes(_) => 4,
        Value::Tuple(_) => 5,
        Value::Set(_) => 6,
    }
}

/// Exact: the int is never rounded to a float.
pub fn cmp_int_float(int: i64, float: f64) -> Ordering {
    if float >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let floor = float.floor();
    int.cmp(&(floor as i64)).then(if float > floor { Ordering::Less } else { Ordering::Equal })
}
