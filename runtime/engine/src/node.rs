//! The Python class: one node's state behind the `Evaluator` interface.
//!
//! What is unusual is asked of Python (`Hooks`): values that need another form,
//! frames with anything odd in them, and the exceptions themselves.

use crate::env::Externals;
use crate::exec::Fail;
use crate::interner::Interner;
use crate::plan::read_plan;
use crate::python::{from_python, quick, row_to_python, to_python};
use crate::snapshot::Snapshot;
use crate::tick::{fault, Engine, Outcome, Shown};
use crate::values::Word;
use crate::wire::{self, Frames, Reader};
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot as Python holds it, with the node whose values it needs.
#[pyclass(frozen)]
pub struct State {
    snapshot: Arc<Snapshot>,
    node: Py<Node>,
}

#[pyclass(subclass)]
pub struct Node {
    engine: Engine,
    address: String,
    here: Word,
    /// `conform(collection, rows) -> rows`: raises RowRefused.
    conform: Py<PyAny>,
    /// `odd_frame(node, bytes) -> Received`: the slow decoder, which may insert.
    odd_frame: Py<PyAny>,
    /// Classes of `bloomish.runtime.evaluator`.
    tick_class: Py<PyAny>,
    series_class: Py<PyAny>,
    received_class: Py<PyAny>,
    /// `failed(rule, rows, message) -> TickFailed`.
    failed: Py<PyAny>,
    /// Send plans in the order of their wire names.
    wires: Vec<usize>,
}

type Rows<'py> = Bound<'py, PyList>;

impl Node {
    fn arrival(&self, collection: &str) -> Option<usize> {
        let arrivals = &self.engine.plan.arrivals;
        arrivals.iter().position(|spec| spec.name == collection)
    }

    fn rows_out<'py>(&self, py: Python<'py>, rows: &[Vec<Word>]) -> PyResult<Rows<'py>> {
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            list.push(row_to_python(py, &self.engine.interner, row)?);
        }
        PyList::new(py, list)
    }

    /// Rows by the names of their outputs.
    fn shown<'py>(&self, py: Python<'py>, shown: &Shown) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (output, rows) in shown {
            dict.set_item(&self.engine.plan.outputs[*output].name, self.rows_out(py, rows)?)?;
        }
        Ok(dict)
    }

    /// What became of the durable tables since this was last asked.
    fn durable<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (table, removed, added) in self.engine.take_durable() {
            let pair = (self.rows_out(py, &removed)?, self.rows_out(py, &added)?);
            dict.set_item(&self.engine.plan.tables[table].name, pair)?;
        }
        Ok(dict)
    }

    fn show<'py>(
        &self,
        py: Python<'py>,
        outcome: &Outcome,
        durable: Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.tick_class.bind(py).call1((
            outcome.number,
            outcome.again,
            self.shown(py, &outcome.events)?,
            self.shown(py, &outcome.added)?,
            self.shown(py, &outcome.removed)?,
            durable,
            outcome.rows_in,
            outcome.rows_out,
        ))
    }

    fn failure<'py>(&self, py: Python<'py>, fail: &Fail) -> PyResult<Bound<'py, PyAny>> {
        let plan = &self.engine.plan;
        let mut rows = Vec::new();
        for (relation, row) in &fail.rows {
            let row = row_to_python(py, &self.engine.interner, row)?;
            rows.push((plan.relations[*relation].name.clone(), row));
        }
        let rule = fault(plan, &fail.origins);
        self.failed.bind(py).call1((rule, rows, &fail.message))
    }

    /// Rows of Python values that need no other form; None if some does.
    fn quick_rows(
        engine: &mut Engine,
        place: usize,
        rows: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Vec<Word>>> {
        let plan = Arc::clone(&engine.plan);
        let types = &plan.relations[plan.arrivals[place].relation].types;
        let mut words = Vec::new();
        let mut one = |row: &Bound<'_, PyAny>, words: &mut Vec<Word>| -> PyResult<bool> {
            let Ok(row) = row.cast::<PyTuple>() else {
                return Ok(false);
            };
            if row.len() != types.len() {
                return Ok(false);
            }
            for (item, type_) in row.iter_borrowed().zip(types) {
                match quick(&mut engine.interner, &item, type_) {
                    Some(word) => words.push(word),
                    None => return Ok(false),
                }
            }
            Ok(true)
        };
        if let Ok(list) = rows.cast::<PyList>() {
            words.reserve(list.len() * types.len());
            for row in list {
                if !one(&row, &mut words)? {
                    return Ok(None);
                }
            }
        } else {
            for row in rows.try_iter()? {
                if !one(&row?, &mut words)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(words))
    }

    fn words_of(&mut self, rows: &Bound<'_, PyAny>, arity: usize) -> PyResult<Vec<Word>> {
        let mut words = Vec::new();
        for row in rows.try_iter()? {
            let before = words.len();
            for item in row?.try_iter()? {
                let word = from_python(&mut self.engine.interner, &item?);
                words.push(word.map_err(PyValueError::new_err)?);
            }
            if words.len() - before != arity {
                return Err(PyValueError::new_err("a row has the wrong number of columns"));
            }
        }
        Ok(words)
    }

    /// Per arrival plan the words of arrivals given as (collection, row).
    fn given(&mut self, arrivals: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<Word>>> {
        let py = arrivals.py();
        let mut all = vec![Vec::new(); self.engine.arrivals.len()];
        for arrival in arrivals.try_iter()? {
            let (collection, row): (String, Bound<'_, PyAny>) = arrival?.extract()?;
            let rows = self.conform.bind(py).call1((&collection, (row,)))?;
            let place =
                self.arrival(&collection).ok_or_else(|| PyKeyError::new_err(collection.clone()))?;
            let arity = self.engine.plan.relations[self.engine.plan.arrivals[place].relation].arity;
            all[place].extend(self.words_of(&rows, arity)?);
        }
        Ok(all)
    }

    fn sorted_ids(&self, relation: &crate::relation::Relation) -> Vec<u32> {
        let interner = &self.engine.interner;
        let mut ids: Vec<u32> = relation.ids().collect();
        let order = |&a: &u32, &b: &u32| interner.cmp_rows(relation.row(a), relation.row(b));
        if !ids.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
            ids.sort_unstable_by(order);
        }
        ids
    }

    /// The queue as runs of equal destination: (destination, send plan, sorted row ids).
    fn runs(&self) -> Vec<(Word, usize, Vec<u32>)> {
        let mut runs: Vec<(Word, usize, Vec<u32>)> = Vec::new();
        for &place in &self.wires {
            let queue = &self.engine.queue[place];
            if queue.is_empty() {
                continue;
            }
            let first = runs.len();
            for id in self.sorted_ids(queue) {
                let peer = queue.row(id)[0];
                match runs[first..].last_mut() {
                    Some(run) if run.0 == peer => run.2.push(id),
                    _ => runs.push((peer, place, vec![id])),
                }
            }
        }
        runs.sort_by(|a, b| self.engine.interner.cmp(a.0, b.0));
        runs
    }

    fn clear_queue(&mut self) {
        self.engine.queue.iter_mut().for_each(|queue| queue.clear());
    }

    /// Takes a frame if all of it is plainly right: (rows, sender).
    fn take_frame(&mut self, frame: &[u8]) -> Option<(usize, String)> {
        if frame.len() > wire::LARGEST {
            return None;
        }
        let plan = Arc::clone(&self.engine.plan);
        let engine = &mut self.engine;
        let marks: Vec<usize> = engine.arrivals.iter().map(Vec::len).collect();
        let mut reader = Reader::new(frame);
        let mut read = || -> Result<(usize, String), wire::Odd> {
            if reader.array()? != 3 || reader.int()? != i64::from(wire::VERSION) {
                return Err(wire::Odd);
            }
            let sender = reader.str()?.to_string();
            let mut count = 0;
            for _ in 0..reader.map()? {
                let name = reader.str()?;
                let place = plan
                    .arrivals
                    .iter()
                    .position(|spec| spec.wire.as_deref() == Some(name))
                    .ok_or(wire::Odd)?;
                let types = &plan.relations[plan.arrivals[place].relation].types;
                let rows = reader.array()?;
                for _ in 0..rows {
                    if reader.array()? != types.len() {
                        return Err(wire::Odd);
                    }
                    for (column, type_) in types.iter().enumerate() {
                        let word = reader.value(&mut engine.interner, type_)?;
                        if column == 0 && word != self.here {
                            return Err(wire::Odd);
                        }
                        let word = engine.normal(word, type_).ok_or(wire::Odd)?;
                        engine.arrivals[place].push(word);
                    }
                }
                count += rows;
            }
            if !reader.at_end() {
                return Err(wire::Odd);
            }
            Ok((count, sender))
        };
        let taken = read().ok();
        if taken.is_none() {
            for (rows, mark) in engine.arrivals.iter_mut().zip(marks) {
                rows.truncate(mark);
            }
        }
        taken
    }
}

#[pymethods]
impl Node {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        plan: &Bound<'_, PyAny>,
        address: String,
        functions: Vec<Py<PyAny>>,
        merges: Vec<Py<PyAny>>,
        misfit: Py<PyAny>,
        priority: Py<PyAny>,
        conform: Py<PyAny>,
        odd_frame: Py<PyAny>,
        tick_class: Py<PyAny>,
        series_class: Py<PyAny>,
        received_class: Py<PyAny>,
        failed: Py<PyAny>,
    ) -> PyResult<Node> {
        let mut interner = Interner::default();
        let plan = read_plan(plan, &mut interner)?;
        let here = interner.str(&address);
        interner.pin(here);
        let mut wires: Vec<usize> = (0..plan.sends.len()).collect();
        wires.sort_by(|&a, &b| plan.sends[a].wire.cmp(&plan.sends[b].wire));
        let externals = Externals { functions, merges, misfit, priority };
        Ok(Node {
            engine: Engine::new(plan, interner, externals, here),
            address,
            here,
            conform,
            odd_frame,
            tick_class,
            series_class,
            received_class,
            failed,
            wires,
        })
    }

    fn insert(&mut self, collection: &str, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(place) = self.arrival(collection) else {
            self.conform.bind(rows.py()).call1((collection, rows))?;
            return Err(PyKeyError::new_err(collection.to_string()));
        };
        if let Some(words) = Node::quick_rows(&mut self.engine, place, rows)? {
            self.engine.arrivals[place].extend_from_slice(&words);
            return Ok(());
        }
        let rows = self.conform.bind(rows.py()).call1((collection, rows))?;
        self.insert_conformed(collection, &rows)
    }

    /// Rows that are in their columns' form already.
    fn insert_conformed(&mut self, collection: &str, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let place =
            self.arrival(collection).ok_or_else(|| PyKeyError::new_err(collection.to_string()))?;
        let arity = self.engine.plan.relations[self.engine.plan.arrivals[place].relation].arity;
        let words = self.words_of(rows, arity)?;
        self.engine.arrivals[place].extend_from_slice(&words);
        Ok(())
    }

    /// Rows of a file of ints, one a line, for benchmarks and bulk loads; how many.
    fn insert_file(&mut self, collection: &str, path: &str, separator: &str) -> PyResult<usize> {
        let place =
            self.arrival(collection).ok_or_else(|| PyKeyError::new_err(collection.to_string()))?;
        let text = std::fs::read_to_string(path)?;
        let arity = self.engine.plan.relations[self.engine.plan.arrivals[place].relation].arity;
        let mut words = Vec::new();
        let mut count = 0;
        for line in text.lines() {
            let before = words.len();
            for field in line.split(separator) {
                let int: i64 = field
                    .trim()
                    .parse()
                    .map_err(|_| PyValueError::new_err(format!("{path}: {line:?} is not ints")))?;
                words.push(self.engine.interner.int(int));
            }
            if words.len() - before != arity {
                let message = format!("{path}: {line:?} has not {arity} fields");
                return Err(PyValueError::new_err(message));
            }
            count += 1;
        }
        self.engine.arrivals[place].extend_from_slice(&words);
        Ok(count)
    }

    fn receive<'py>(slf: Bound<'py, Node>, frame: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let taken = slf.borrow_mut().take_frame(frame);
        match taken {
            Some((rows, sender)) => {
                let class = slf.borrow().received_class.clone_ref(py);
                class.bind(py).call1((rows, PyTuple::empty(py), sender))
            }
            None => {
                let odd_frame = slf.borrow().odd_frame.clone_ref(py);
                odd_frame.bind(py).call1((slf, PyBytes::new(py, frame)))
            }
        }
    }

    #[pyo3(signature = (now = 0.0))]
    fn tick<'py>(&mut self, py: Python<'py>, now: f64) -> PyResult<Bound<'py, PyAny>> {
        match self.engine.tick(py, now) {
            Ok(outcome) => {
                let durable = self.durable(py)?;
                self.show(py, &outcome, durable)
            }
            Err(fail) => Err(PyErr::from_value(self.failure(py, &fail)?)),
        }
    }

    #[pyo3(signature = (now, limit, patience))]
    fn series<'py>(
        &mut self,
        py: Python<'py>,
        now: f64,
        limit: usize,
        patience: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let patience = Duration::try_from_secs_f64(patience).unwrap_or_default();
        match self.engine.run(py, now, limit, patience) {
            Ok(series) => {
                let mut shown = Vec::with_capacity(series.shown.len());
                for outcome in &series.shown {
                    shown.push(self.show(py, outcome, PyDict::new(py))?);
                }
                let durable = self.durable(py)?;
                let none = || PyDict::new(py);
                self.series_class.bind(py).call1((
                    self.engine.number,
                    series.again,
                    none(),
                    none(),
                    none(),
                    durable,
                    series.rows_in,
                    series.rows_out,
                    series.ticks,
                    shown,
                ))
            }
            Err(fail) => Err(PyErr::from_value(self.failure(py, &fail)?)),
        }
    }

    fn probe<'py>(
        &mut self,
        py: Python<'py>,
        now: f64,
        arrivals: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let given = self.given(arrivals)?;
        match self.engine.probe(py, now, &given) {
            Some(fail) => self.failure(py, &fail).map(Some),
            None => Ok(None),
        }
    }

    /// (collection, row) by collection and value.
    fn arrivals<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyTuple>)>> {
        let plan = &self.engine.plan;
        let interner = &self.engine.interner;
        let mut order: Vec<usize> = (0..plan.arrivals.len()).collect();
        order.sort_by(|&a, &b| plan.arrivals[a].name.cmp(&plan.arrivals[b].name));
        let mut found = Vec::new();
        for place in order {
            let spec = &plan.arrivals[place];
            let arity = plan.relations[spec.relation].arity.max(1);
            let mut rows: Vec<&[Word]> = self.engine.arrivals[place].chunks_exact(arity).collect();
            rows.sort_unstable_by(|a, b| interner.cmp_rows(a, b));
            rows.dedup();
            for row in rows {
                found.push((spec.name.clone(), row_to_python(py, interner, row)?));
            }
        }
        Ok(found)
    }

    fn set_arrivals(&mut self, arrivals: &Bound<'_, PyAny>) -> PyResult<()> {
        self.engine.arrivals = self.given(arrivals)?;
        Ok(())
    }

    #[pyo3(signature = (limit = 1 << 20))]
    fn frames<'py>(
        &mut self,
        py: Python<'py>,
        limit: usize,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyBytes>)>> {
        let mut found = Vec::new();
        if self.engine.queue.iter().all(|queue| queue.is_empty()) {
            return Ok(found);
        }
        let runs = self.runs();
        for peer in runs.chunk_by(|a, b| a.0 == b.0) {
            let mut frames = Frames::new(&self.address, limit);
            for (_, place, ids) in peer {
                let wire = &self.engine.plan.sends[*place].wire;
                let queue = &self.engine.queue[*place];
                for (nth, &id) in ids.iter().enumerate() {
                    frames.row(wire, nth == 0, &self.engine.interner, queue.row(id));
                }
            }
            frames.flush();
            let name = to_python(py, &self.engine.interner, peer[0].0)?;
            for frame in frames.done {
                found.push((name.clone(), PyBytes::new(py, &frame)));
            }
        }
        self.clear_queue();
        Ok(found)
    }

    #[allow(clippy::type_complexity)]
    fn sends<'py>(
        &mut self,
        py: Python<'py>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, String, Bound<'py, PyTuple>)>> {
        let mut found = Vec::new();
        for (peer, place, ids) in self.runs() {
            let queue = &self.engine.queue[place];
            let peer = to_python(py, &self.engine.interner, peer)?;
            for id in ids {
                let row = row_to_python(py, &self.engine.interner, queue.row(id))?;
                let wire = self.engine.plan.sends[place].wire.clone();
                found.push((peer.clone(), wire, row));
            }
        }
        self.clear_queue();
        Ok(found)
    }

    fn resend(&mut self) -> usize {
        self.engine.resend()
    }

    fn resend_stood(&mut self) -> (usize, usize) {
        self.engine.resend_stood()
    }

    fn keep_to_itself(&mut self) {
        self.engine.keep_to_itself();
    }

    fn contents<'py>(&self, py: Python<'py>, collection: &str) -> PyResult<Rows<'py>> {
        let contents = &self.engine.plan.contents;
        let Some((_, relation)) = contents.iter().find(|(name, _)| name == collection) else {
            let message = format!("no collection {collection:?}");
            return Err(PyKeyError::new_err(message));
        };
        let relation = &self.engine.relations[*relation];
        let mut rows = Vec::with_capacity(relation.live());
        for id in self.sorted_ids(relation) {
            rows.push(row_to_python(py, &self.engine.interner, relation.row(id))?);
        }
        PyList::new(py, rows)
    }

    /// How many rows a collection has.
    fn count(&self, collection: &str) -> PyResult<usize> {
        let contents = &self.engine.plan.contents;
        let found = contents.iter().find(|(name, _)| name == collection);
        found
            .map(|(_, relation)| self.engine.relations[*relation].live())
            .ok_or_else(|| PyKeyError::new_err(collection.to_string()))
    }

    fn fingerprint<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.engine.fingerprint())
    }

    fn snapshot(slf: Bound<'_, Node>) -> State {
        let snapshot = slf.borrow_mut().engine.snapshot();
        State { snapshot, node: slf.unbind() }
    }

    fn restore(slf: Bound<'_, Node>, snapshot: &Bound<'_, State>) -> PyResult<()> {
        let state = snapshot.get();
        if state.node.is(&slf) {
            slf.borrow_mut().engine.restore(&state.snapshot);
            return Ok(());
        }
        let from = state.node.bind(slf.py()).borrow();
        let mut node = slf.borrow_mut();
        if from.engine.plan.relations.len() != node.engine.plan.relations.len() {
            return Err(PyValueError::new_err("a snapshot of another program"));
        }
        node.engine.adopt(&state.snapshot, &from.engine.interner);
        Ok(())
    }

    /// Durable tables as they were committed: conformed rows by collection.
    fn load(&mut self, tables: &Bound<'_, PyDict>) -> PyResult<()> {
        if self.engine.number > 0 {
            return Err(PyRuntimeError::new_err("load comes before the first tick"));
        }
        let plan = Arc::clone(&self.engine.plan);
        for (name, rows) in tables {
            let name: String = name.extract()?;
            let table = plan.tables.iter().find(|table| table.name == name);
            let place = table.ok_or_else(|| PyKeyError::new_err(name.clone()))?.relation;
            let arity = plan.relations[place].arity;
            let words = self.words_of(&rows, arity)?;
            let relation = &mut self.engine.relations[place];
            for row in words.chunks_exact(arity.max(1)) {
                // The caller has refused rivals.
                let _ = relation.insert(row, 0);
            }
            relation.commit();
        }
        self.engine.loaded = true;
        Ok(())
    }

    /// The number of the last tick.
    #[getter]
    fn number(&self) -> i64 {
        self.engine.number
    }

    /// How many values are interned now, for tests of their reclaiming.
    #[getter]
    fn interned(&self) -> usize {
        self.engine.interner.len()
    }
}
