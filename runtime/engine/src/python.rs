//! Values from and to Python.

use crate::interner::Interner;
use crate::lattice::Type;
use crate::values::{bool_word, Value, Word, NONE};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

pub fn to_python<'py>(
    py: Python<'py>,
    interner: &Interner,
    word: Word,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match interner.value(word) {
        Value::None => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::Float(value) => PyFloat::new(py, value).into_any(),
        Value::Str(text) => PyString::new(py, text.as_str()).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Tuple(items) => row_to_python(py, interner, items)?.into_any(),
        Value::Set(items) => {
            let items = items
                .iter()
                .map(|&item| to_python(py, interner, item))
                .collect::<PyResult<Vec<_>>>()?;
            PyFrozenSet::new(py, items)?.into_any()
        }
    })
}

pub fn row_to_python<'py>(
    py: Python<'py>,
    interner: &Interner,
    row: &[Word],
) -> PyResult<Bound<'py, PyTuple>> {
    let mut items = Vec::with_capacity(row.len());
    for &word in row {
        items.push(to_python(py, interner, word)?);
    }
    PyTuple::new(py, items)
}

/// A value that a column of this type takes without any change of form; else None,
/// and the slow way (`bloomish.values`) decides.
#[inline]
pub fn quick(interner: &mut Interner, value: &Bound<'_, PyAny>, type_: &Type) -> Option<Word> {
    match type_ {
        Type::Int if value.is_exact_instance_of::<PyInt>() => {
            value.extract::<i64>().ok().map(|int| interner.int(int))
        }
        Type::Str => {
            let text = value.cast_exact::<PyString>().ok()?;
            text.to_str().ok().map(|text| interner.str(text))
        }
        Type::Float if value.is_exact_instance_of::<PyFloat>() => {
            let float: f64 = value.extract().ok()?;
            (!float.is_nan()).then(|| interner.float(float))
        }
        Type::Bool => value.cast_exact::<PyBool>().ok().map(|value| bool_word(value.is_true())),
        Type::Bytes => {
            value.cast_exact::<PyBytes>().ok().map(|value| interner.bytes(value.as_bytes()))
        }
        _ => None,
    }
}

/// Any value of the language; a reason if it is not one.
pub fn from_python(interner: &mut Interner, value: &Bound<'_, PyAny>) -> Result<Word, String> {
    if value.is_none() {
        return Ok(NONE);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(bool_word(value.is_true()));
    }
    if let Ok(int) = value.cast::<PyInt>() {
        return int
            .extract::<i64>()
            .map(|int| interner.int(int))
            .map_err(|_| format!("int overflow: {int} does not fit 64 bits"));
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        let float = float.value();
        if float.is_nan() {
            return Err("NaN is not a value".to_string());
        }
        return Ok(interner.float(float));
    }
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|error| error.to_string())?;
        return Ok(interner.str(text));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(interner.bytes(bytes.as_bytes()));
    }
    if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
        let items = items_of(interner, value)?;
        return Ok(interner.tuple(&items));
    }
    if value.is_instance_of::<PyFrozenSet>() || value.is_instance_of::<PySet>() {
        let items = items_of(interner, value)?;
        return Ok(interner.set(items));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut pairs = Vec::new();
        for (key, item) in dict {
            let key = from_python(interner, &key)?;
            pairs.push((key, from_python(interner, &item)?));
        }
        pairs.sort_by(|a, b| interner.cmp(a.0, b.0));
        let pairs: Vec<Word> = pairs.iter().map(|&(k, v)| interner.tuple(&[k, v])).collect();
        return Ok(interner.tuple(&pairs));
    }
    Err(format!("{value} is not a value of the language"))
}

fn items_of(interner: &mut Interner, value: &Bound<'_, PyAny>) -> Result<Vec<Word>, String> {
    let mut items = Vec::new();
    for item in value.try_iter().map_err(|error| error.to_string())? {
        let item = item.map_err(|error| error.to_string())?;
        items.push(from_python(interner, &item)?);
    }
    Ok(items)
}
