//! `bloomish._engine`: executes the join plans of `bloomish.runtime.plan`.
//!
//! It knows nothing of syntax or analysis.  Read in this order: `values` and
//! `interner` (what a value is), `relation` with `table` and `index` (where rows
//! are), `exec` and `expr` (how one join plan runs), `maintain` and `aggregate`
//! (how a stratum follows those below it), `agenda` (which strata a tick has to look
//! at), `tick` (what a tick is), then `wire`,
//! `snapshot` and `node`, the Python class.

mod agenda;
mod aggregate;
mod env;
mod exec;
mod expr;
mod index;
mod interner;
mod lattice;
mod maintain;
mod node;
mod plan;
mod python;
mod relation;
mod snapshot;
mod table;
mod tick;
mod values;
mod wire;

use pyo3::prelude::*;

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<node::Node>()?;
    module.add_class::<node::State>()?;
    Ok(())
}
