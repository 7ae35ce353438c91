//! Types, lattices, and what can be done with words by them: bring a word to the
//! form that its column holds ([`conform`]) and merge two lattice values.
//!
//! The eight structural lattices of `bloomish.lattices.structure` are native; a
//! user's lattice is merged by calling back into Python ([`Callbacks`]).

use crate::interner::Interner;
use crate::values::{Value, Word, FALSE, NONE, TRUE};
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Int,
    Float,
    Str,
    Bytes,
    Bool,
    Any,
    Tuple(Vec<Type>),
    Lattice(Box<Lattice>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Lattice {
    Max(Type),
    Min(Type),
    Bool,
    Set(Type),
    Map(Type, Lattice2),
    Pair(Lattice2, Lattice2),
    Lex(Lattice2, Lattice2),
    Antichain(Lattice2, Type),
    /// Its number among the program's lattices, its bottom, its carrier.
    User(usize, Word, Type),
}

pub type Lattice2 = Box<Lattice>;

/// What user code is asked for; errors are texts for the tick's failure.
pub trait Callbacks {
    fn merge(
        &mut self,
        interner: &mut Interner,
        lattice: usize,
        a: Word,
        b: Word,
    ) -> Result<Word, String>;
}

/// For where a user's lattice leaves it to another to merge.
pub struct NoCallbacks;

impl Callbacks for NoCallbacks {
    fn merge(&mut self, _: &mut Interner, _: usize, _: Word, _: Word) -> Result<Word, String> {
        Err("a user's lattice".to_string())
    }
}

/// A value that its type does not have.
#[derive(Debug)]
pub struct Misfit;

/// The form in which a column of this type holds the value.
pub fn conform(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    word: Word,
    type_: &Type,
) -> Result<Word, Misfit> {
    let fits = match (type_, interner.value(word)) {
        (Type::Any, _)
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::Str, Value::Str(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Bool, Value::Bool(_)) => true,
        (Type::Float, Value::Int(int)) => return Ok(interner.float(int as f64)),
        (Type::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
            let items = items.to_vec();
            let mut row = Vec::with_capacity(items.len());
            for (item, type_) in items.into_iter().zip(types) {
                row.push(conform(interner, calls, item, type_)?);
            }
            return Ok(interner.tuple(&row));
        }
        (Type::Lattice(lattice), _) => return conform_lattice(interner, calls, word, lattice),
        _ => false,
    };
    if fits {
        Ok(word)
    } else {
        Err(Misfit)
    }
}

fn elements(interner: &Interner, word: Word) -> Result<Vec<Word>, Misfit> {
    match interner.value(word) {
        Value::Tuple(items) | Value::Set(items) => Ok(items.to_vec()),
        _ => Err(Misfit),
    }
}

fn two(interner: &Interner, word: Word) -> Result<Two, Misfit> {
    match interner.value(word) {
        Value::Tuple([first, second]) => Ok((*first, *second)),
        _ => Err(Misfit),
    }
}

fn conform_lattice(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    word: Word,
    lattice: &Lattice,
) -> Result<Word, Misfit> {
    match lattice {
        Lattice::Max(inner) | Lattice::Min(inner) => match word {
            NONE => Ok(NONE),
            _ => conform(interner, calls, word, inner),
        },
        Lattice::Bool => match word {
            TRUE | FALSE => Ok(word),
            _ => Err(Misfit),
        },
        Lattice::Set(inner) => {
            let mut items = elements(interner, word)?;
            for item in &mut items {
                *item = conform(interner, calls, *item, inner)?;
            }
            Ok(interner.set(items))
        }
        Lattice::Map(key, value) => {
            let mut pairs = Vec::new();
            for pair in elements(interner, word)? {
                let (k, v) = two(interner, pair)?;
                pairs.push((
                    conform(interner, calls, k, key)?,
                    conform_lattice(interner, calls, v, value)?,
                ));
            }
            normal_map(interner, calls, pairs, value).map_err(|_| Misfit)
        }
        Lattice::Pair(first, second) => {
            let (a, b) = two(interner, word)?;
            let a = conform_lattice(interner, calls, a, first)?;
            let b = conform_lattice(interner, calls, b, second)?;
            Ok(interner.tuple(&[a, b]))
        }
        Lattice::Lex(chain, inner) => {
            if word == NONE {
                return Ok(NONE);
            }
            let (a, b) = two(interner, word)?;
            let a = conform_lattice(interner, calls, a, chain)?;
            let b = conform_lattice(interner, calls, b, inner)?;
            if a == NONE && b == bottom(interner, inner) {
                return Ok(NONE);
            }
            Ok(interner.tuple(&[a, b]))
        }
        Lattice::Antichain(version, inner) => {
            let mut pairs = Vec::new();
            for pair in elements(interner, word)? {
                let (v, value) = two(interner, pair)?;
                let v = conform_lattice(interner, calls, v, version)?;
                let value = conform(interner, calls, value, inner)?;
                pairs.push((v, interner.tuple(&[v, value])));
            }
            normal_antichain(interner, calls, pairs, version).map_err(|_| Misfit)
        }
        Lattice::User(_, _, carrier) => conform(interner, calls, word, carrier),
    }
}

pub fn bottom(interner: &mut Interner, lattice: &Lattice) -> Word {
    match lattice {
        Lattice::Max(_) | Lattice::Min(_) | Lattice::Lex(..) => NONE,
        Lattice::Bool => FALSE,
        Lattice::Set(_) | Lattice::Antichain(..) => interner.sorted_set(&[]),
        Lattice::Map(..) => interner.tuple(&[]),
        Lattice::Pair(first, second) => {
            let pair = [bottom(interner, first), bottom(interner, second)];
            interner.tuple(&pair)
        }
        Lattice::User(_, bottom, _) => *bottom,
    }
}

/// The least upper bound of two carriers.
pub fn merge(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    a: Word,
    b: Word,
    lattice: &Lattice,
) -> Result<Word, String> {
    if a == b && !matches!(lattice, Lattice::User(..)) {
        return Ok(a);
    }
    match lattice {
        Lattice::Max(_) => Ok(if interner.cmp(b, a) == Ordering::Greater { b } else { a }),
        Lattice::Min(_) if a == NONE => Ok(b),
        Lattice::Min(_) if b == NONE => Ok(a),
        Lattice::Min(_) => Ok(if interner.cmp(b, a) == Ordering::Less { b } else { a }),
        Lattice::Bool => Ok(if a == TRUE { a } else { b }),
        Lattice::Set(_) => Ok(union(interner, a, b)),
        Lattice::Map(_, value) => {
            if interner.tuple_items(a).is_empty() {
                return Ok(b);
            }
            if interner.tuple_items(b).is_empty() {
                return Ok(a);
            }
            merge_maps(interner, calls, a, b, value)
        }
        Lattice::Pair(first, second) => {
            let ((a1, a2), (b1, b2)) = both(interner, a, b)?;
            let one = merge(interner, calls, a1, b1, first)?;
            let two = merge(interner, calls, a2, b2, second)?;
            Ok(interner.tuple(&[one, two]))
        }
        Lattice::Lex(chain, inner) => {
            if a == NONE {
                return Ok(b);
            }
            if b == NONE {
                return Ok(a);
            }
            let ((a1, a2), (b1, b2)) = both(interner, a, b)?;
            if a1 == b1 {
                let value = merge(interner, calls, a2, b2, inner)?;
                return Ok(interner.tuple(&[a1, value]));
            }
            let greater = merge(interner, calls, a1, b1, chain)?;
            Ok(if greater == b1 { b } else { a })
        }
        Lattice::Antichain(version, _) => {
            let joined = union(interner, a, b);
            let mut pairs = Vec::new();
            for pair in interner.set_items(joined).to_vec() {
                let (v, _) = two(interner, pair).map_err(|_| "not a version and a value")?;
                pairs.push((v, pair));
            }
            normal_antichain(interner, calls, pairs, version)
        }
        Lattice::User(number, _, _) => calls.merge(interner, *number, a, b),
    }
}

type Two = (Word, Word);

fn both(interner: &Interner, a: Word, b: Word) -> Result<(Two, Two), String> {
    let pair = |word| two(interner, word).map_err(|_| "not a pair".to_string());
    Ok((pair(a)?, pair(b)?))
}

/// The greater set keeps its order; the elements of the smaller are looked up in it.
pub fn union(interner: &mut Interner, a: Word, b: Word) -> Word {
    let (large, small) = match interner.set_items(a).len() < interner.set_items(b).len() {
        true => (b, a),
        false => (a, b),
    };
    let (items, others) = (interner.set_items(large), interner.set_items(small));
    let (mut more, mut places) = (Vec::new(), Vec::new());
    let mut from = 0;
    for &other in others {
        match items[from..].binary_search_by(|&item| interner.cmp(item, other)) {
            Ok(place) => from += place,
            Err(place) => {
                from += place;
                more.push(other);
                places.push(from);
            }
        }
    }
    if more.is_empty() {
        return large;
    }
    interner.grown_set(large, &more, &places)
}

/// Both sorted by key: one pass.
fn merge_maps(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    a: Word,
    b: Word,
    value: &Lattice,
) -> Result<Word, String> {
    let left = interner.tuple_items(a).to_vec();
    let right = interner.tuple_items(b).to_vec();
    if let [pair] = right[..] {
        return put_pair(interner, calls, left, pair, value);
    }
    let mut joined = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        let ((k1, v1), (k2, v2)) = both(interner, left[i], right[j])?;
        match interner.cmp(k1, k2) {
            Ordering::Less => {
                joined.push(left[i]);
                i += 1;
            }
            Ordering::Greater => {
                joined.push(right[j]);
                j += 1;
            }
            Ordering::Equal => {
                let merged = merge(interner, calls, v1, v2, value)?;
                joined.push(interner.tuple(&[k1, merged]));
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    joined.extend_from_slice(&left[i..]);
    joined.extend_from_slice(&right[j..]);
    Ok(interner.tuple(&joined))
}

/// One more pair in a map.
fn put_pair(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    mut pairs: Vec<Word>,
    pair: Word,
    value: &Lattice,
) -> Result<Word, String> {
    let key = interner.tuple_items(pair)[0];
    let place = pairs.binary_search_by(|&other| interner.cmp(interner.tuple_items(other)[0], key));
    match place {
        Ok(place) => {
            let ((_, old), (_, new)) = both(interner, pairs[place], pair)?;
            let merged = merge(interner, calls, old, new, value)?;
            pairs[place] = interner.tuple(&[key, merged]);
        }
        Err(place) => pairs.insert(place, pair),
    }
    Ok(interner.tuple(&pairs))
}

/// Sorted by key, equal keys merged, bottoms left out.
fn normal_map(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    mut pairs: Vec<(Word, Word)>,
    value: &Lattice,
) -> Result<Word, String> {
    pairs.sort_by(|a, b| interner.cmp(a.0, b.0));
    let none = bottom(interner, value);
    let mut merged: Vec<(Word, Word)> = Vec::with_capacity(pairs.len());
    for (k, v) in pairs {
        match merged.last_mut() {
            Some(last) if last.0 == k => last.1 = merge(interner, calls, last.1, v, value)?,
            _ => merged.push((k, v)),
        }
    }
    let mut items = Vec::with_capacity(merged.len());
    for (k, v) in merged {
        if v != none {
            items.push(interner.tuple(&[k, v]));
        }
    }
    Ok(interner.tuple(&items))
}

/// Pairs of (version, whole pair); those that a greater version has overtaken go.
fn normal_antichain(
    interner: &mut Interner,
    calls: &mut dyn Callbacks,
    pairs: Vec<(Word, Word)>,
    version: &Lattice,
) -> Result<Word, String> {
    let mut kept = Vec::new();
    for &(v, pair) in &pairs {
        let mut overtaken = false;
        for &(other, _) in &pairs {
            if other != v && merge(interner, calls, v, other, version)? == other {
                overtaken = true;
                break;
            }
        }
        if !overtaken {
            kept.push(pair);
        }
    }
    Ok(interner.set(kept))
}

/// What `size()` gives: how many elements, pairs or items.
pub fn length(interner: &Interner, word: Word) -> Option<usize> {
    match interner.value(word) {
        Value::Tuple(items) | Value::Set(items) => Some(items.len()),
        _ => None,
    }
}
