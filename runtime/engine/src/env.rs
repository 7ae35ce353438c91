//! What a tick may use besides rows: values, Python, the clock.

use crate::interner::Interner;
use crate::lattice::{self, Callbacks, Lattice, Type};
use crate::python::{from_python, to_python};
use crate::values::{Value, Word};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The Python that a program calls, by number; errors come as exceptions whose
/// text is the reason.
pub struct Externals {
    pub functions: Vec<Py<PyAny>>,
    pub merges: Vec<Py<PyAny>>,
    /// `misfit(number, value) -> str`: what a value that does not fit is told.
    pub misfit: Py<PyAny>,
    /// `priority(rule number, group values, value) -> bytes`: the order of `choose`.
    pub priority: Py<PyAny>,
}

pub struct Env<'a> {
    pub interner: &'a mut Interner,
    pub externals: &'a Externals,
    pub py: Python<'a>,
    pub here: Word,
    pub now: f64,
    pub tick: i64,
}

struct Merges<'a> {
    externals: &'a Externals,
    py: Python<'a>,
}

impl Callbacks for Merges<'_> {
    fn merge(
        &mut self,
        interner: &mut Interner,
        number: usize,
        a: Word,
        b: Word,
    ) -> Result<Word, String> {
        let run = || -> PyResult<Bound<'_, PyAny>> {
            let args = (to_python(self.py, interner, a)?, to_python(self.py, interner, b)?);
            self.externals.merges[number].bind(self.py).call1(args)
        };
        let value = run().map_err(|error| error.value(self.py).to_string())?;
        from_python(interner, &value)
    }
}

impl Env<'_> {
    pub fn repr(&self, word: Word) -> String {
        to_python(self.py, self.interner, word)
            .and_then(|value| Ok(value.repr()?.to_string()))
            .unwrap_or_else(|error| error.to_string())
    }

    pub fn call(&mut self, number: usize, args: &[Word]) -> Result<Word, String> {
        let run = || -> PyResult<Bound<'_, PyAny>> {
            let mut values = Vec::with_capacity(args.len());
            for &arg in args {
                values.push(to_python(self.py, self.interner, arg)?);
            }
            self.externals.functions[number].bind(self.py).call1(PyTuple::new(self.py, values)?)
        };
        let value = run().map_err(|error| error.value(self.py).to_string())?;
        from_python(self.interner, &value)
    }

    pub fn priority(
        &mut self,
        rule: usize,
        group: &[Word],
        value: Word,
    ) -> Result<Vec<u8>, String> {
        let run = || -> PyResult<Vec<u8>> {
            let mut values = Vec::with_capacity(group.len());
            for &word in group {
                values.push(to_python(self.py, self.interner, word)?);
            }
            let value = to_python(self.py, self.interner, value)?;
            self.externals
                .priority
                .bind(self.py)
                .call1((rule, PyTuple::new(self.py, values)?, value))?
                .extract()
        };
        run().map_err(|error| error.value(self.py).to_string())
    }

    /// `sum` and `avg` of values that are not all ints, by Python's exactly rounded sum.
    pub fn exact_sum(&mut self, floats: &[f64]) -> Result<f64, String> {
        let run = || -> PyResult<f64> {
            let math = self.py.import("math")?;
            math.call_method1("fsum", (floats.to_vec(),))?.extract()
        };
        run().map_err(|error| format!("sum: {}", error.value(self.py)))
    }

    pub fn python_mean(&mut self, total: i128, count: usize) -> Result<Word, String> {
        const EXACT: i128 = 1 << 53;
        if total.abs() <= EXACT {
            return Ok(self.interner.float(total as f64 / count as f64));
        }
        let run = || -> PyResult<f64> {
            let operator = self.py.import("operator")?;
            operator.call_method1("truediv", (total, count))?.extract()
        };
        let value = run().map_err(|error| error.value(self.py).to_string())?;
        Ok(self.interner.float(value))
    }

    /// A quotient of ints that are not floats, rounded once.
    pub fn python_quotient(&mut self, x: i64, y: i64) -> Result<Word, String> {
        let run = || -> PyResult<f64> {
            let operator = self.py.import("operator")?;
            operator.call_method1("truediv", (x, y))?.extract()
        };
        let value = run().map_err(|error| error.value(self.py).to_string())?;
        Ok(self.interner.float(value))
    }

    /// A value in the form of a type, if it is of it.
    pub fn fitted(&mut self, word: Word, type_: &Type) -> Option<Word> {
        let mut calls = Merges { externals: self.externals, py: self.py };
        lattice::conform(self.interner, &mut calls, word, type_).ok()
    }

    pub fn conform(&mut self, word: Word, type_: &Type, misfit: usize) -> Result<Word, String> {
        self.fitted(word, type_).ok_or_else(|| self.misfit_text(misfit, word))
    }

    /// As `conform`; a value that does not fit stays as it is (and equals nothing there).
    pub fn shape(&mut self, word: Word, type_: &Type) -> Word {
        self.fitted(word, type_).unwrap_or(word)
    }

    pub fn misfit_text(&self, misfit: usize, word: Word) -> String {
        let run = || -> PyResult<String> {
            let value = to_python(self.py, self.interner, word)?;
            self.externals.misfit.bind(self.py).call1((misfit, value))?.extract()
        };
        run().unwrap_or_else(|error| error.value(self.py).to_string())
    }

    pub fn merge(&mut self, a: Word, b: Word, lattice: &Lattice) -> Result<Word, String> {
        let mut calls = Merges { externals: self.externals, py: self.py };
        lattice::merge(self.interner, &mut calls, a, b, lattice)
    }

    /// `|` in an expression; without a known lattice its operands must be sets.
    pub fn merge_values(
        &mut self,
        lattice: Option<&Lattice>,
        a: Word,
        b: Word,
    ) -> Result<Word, String> {
        if let Some(lattice) = lattice {
            return self.merge(a, b, lattice);
        }
        match (self.interner.value(a), self.interner.value(b)) {
            (Value::Set(_), Value::Set(_)) => Ok(lattice::union(self.interner, a, b)),
            _ => Err(format!("{} | {}: not two values of one lattice", self.repr(a), self.repr(b))),
        }
    }
}
