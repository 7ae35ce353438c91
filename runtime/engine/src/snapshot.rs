//! Snapshots: relations are shared until they change, so that one costs what has
//! changed since the last.

use crate::aggregate::Mixer;
use crate::interner::Interner;
use crate::relation::Relation;
use crate::tick::{Change, Engine};
use crate::values::{mix, Value, Word};
use hashbrown::HashMap;
use std::sync::Arc;

/// The state of an engine, without its values.
pub struct Snapshot {
    relations: Vec<Arc<Relation>>,
    queue: Vec<Relation>,
    arrivals: Vec<Vec<Word>>,
    pending: Vec<Change>,
    contested: Vec<Vec<Word>>,
    staged: Vec<(Vec<Word>, Change)>,
    number: i64,
    round: u64,
    loaded: bool,
}

impl Snapshot {
    fn lists(&self) -> impl Iterator<Item = &[Word]> {
        let changes = self.staged.iter().map(|(_, change)| change);
        self.relations
            .iter()
            .map(|relation| relation.words())
            .chain(self.queue.iter().map(Relation::words))
            .chain(self.arrivals.iter().map(Vec::as_slice))
            .chain(self.contested.iter().map(Vec::as_slice))
            .chain(self.staged.iter().map(|(events, _)| events.as_slice()))
            .chain(
                self.pending
                    .iter()
                    .chain(changes)
                    .flat_map(|change| [change.out.as_slice(), change.new.as_slice()]),
            )
    }
}

impl Engine {
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let relations = self
            .relations
            .iter()
            .zip(&mut self.frozen)
            .map(|(relation, frozen)| match frozen {
                Some(shared) if shared.version == relation.version => Arc::clone(shared),
                _ => {
                    let shared = Arc::new(relation.clone());
                    *frozen = Some(Arc::clone(&shared));
                    shared
                }
            })
            .collect();
        let snapshot = Arc::new(Snapshot {
            relations,
            queue: self.queue.clone(),
            arrivals: self.arrivals.clone(),
            pending: self.pending.clone(),
            contested: self.contested.clone(),
            staged: self.staged.clone(),
            number: self.number,
            round: self.round,
            loaded: self.loaded,
        });
        if self.snapshots.len() == self.snapshots.capacity() {
            self.snapshots.retain(|known| known.strong_count() > 0);
        }
        self.snapshots.push(Arc::downgrade(&snapshot));
        snapshot
    }

    pub fn restore(&mut self, snapshot: &Snapshot) {
        for (place, shared) in snapshot.relations.iter().enumerate() {
            if self.relations[place].version != shared.version {
                self.relations[place] = Relation::clone(shared);
            }
            self.frozen[place] = Some(Arc::clone(shared));
        }
        self.queue.clone_from(&snapshot.queue);
        self.arrivals.clone_from(&snapshot.arrivals);
        self.pending.clone_from(&snapshot.pending);
        self.contested.clone_from(&snapshot.contested);
        self.staged.clone_from(&snapshot.staged);
        self.number = snapshot.number;
        self.round = snapshot.round;
        self.loaded = snapshot.loaded;
        self.find_lapsing();
    }

    /// Takes over the state of an equally made engine, whose values are in `from`.
    pub fn adopt(&mut self, snapshot: &Snapshot, from: &Interner) {
        let mut known = HashMap::default();
        let interner = &mut self.interner;
        let mut words = |words: &[Word]| -> Vec<Word> {
            words.iter().map(|&word| translate(from, interner, &mut known, word)).collect()
        };
        let mut relation = |relation: &Relation| relation.translated(&mut words);
        self.relations = snapshot.relations.iter().map(|shared| relation(shared)).collect();
        self.queue = snapshot.queue.iter().map(&mut relation).collect();
        let mut change =
            |change: &Change| Change { out: words(&change.out), new: words(&change.new) };
        self.pending = snapshot.pending.iter().map(&mut change).collect();
        let changes: Vec<Change> = snapshot.staged.iter().map(|(_, view)| change(view)).collect();
        self.staged = snapshot
            .staged
            .iter()
            .zip(changes)
            .map(|((events, _), view)| (words(events), view))
            .collect();
        self.arrivals = snapshot.arrivals.iter().map(|rows| words(rows)).collect();
        self.contested = snapshot.contested.iter().map(|keys| words(keys)).collect();
        self.frozen.fill(None);
        self.number = snapshot.number;
        self.round = snapshot.round;
        self.loaded = snapshot.loaded;
        self.find_lapsing();
    }

    fn find_lapsing(&mut self) {
        let relations = self.plan.relations.iter().zip(&self.relations).enumerate();
        self.lapsing = relations
            .filter(|(_, (spec, relation))| spec.ephemeral && !relation.is_clear())
            .map(|(place, _)| place)
            .collect();
    }

    pub fn mark_snapshots(&mut self) {
        self.snapshots.retain(|known| known.strong_count() > 0);
        for known in &self.snapshots {
            if let Some(snapshot) = known.upgrade() {
                for words in snapshot.lists() {
                    self.interner.mark(words);
                }
            }
        }
    }

    /// Equal for equal state that the future depends on.
    pub fn fingerprint(&self) -> [u8; 16] {
        let plan = Arc::clone(&self.plan);
        let mut digest = Digest::default();
        for (place, (table, change)) in plan.tables.iter().zip(&self.pending).enumerate() {
            let relation = &self.relations[table.relation];
            let mut set = self.rows_hash(relation.rows());
            let arity = relation.arity.max(1);
            set.remove(self.rows_hash(change.out.chunks_exact(arity)));
            set.add(self.rows_hash(change.new.chunks_exact(arity)));
            digest.take(1, place, set);
        }
        for (place, (spec, (events, change))) in plan.staged.iter().zip(&self.staged).enumerate() {
            let arity = plan.relations[spec.relation].arity.max(1);
            digest.take(2, place, self.rows_hash(events.chunks_exact(arity)));
            if let Some((source, base)) = spec.view {
                debug_assert!(change.new.len() % arity == 0);
                // The view's rows are the next tick's base.
                digest.take(3, place, self.rows_hash(self.relations[source].rows()));
                debug_assert!(self.relations[base].arity == arity);
            }
        }
        for (place, send) in plan.sends.iter().enumerate() {
            if let Some(standing) = send.standing {
                digest.take(4, place, self.rows_hash(self.relations[standing].rows()));
            }
            digest.take(5, place, self.rows_hash(self.queue[place].rows()));
        }
        for (place, output) in plan.outputs.iter().enumerate() {
            if let Some(view) = output.view {
                digest.take(6, place, self.rows_hash(self.relations[view].rows()));
            }
        }
        for (place, (spec, rows)) in plan.arrivals.iter().zip(&self.arrivals).enumerate() {
            let arity = plan.relations[spec.relation].arity;
            let mut set = Relation::new(arity, arity, false, false, 0);
            for row in rows.chunks_exact(arity.max(1)) {
                // A repeated row is the same row.
                let _ = set.insert(row, 0);
            }
            digest.take(7, place, self.rows_hash(set.rows()));
        }
        let number = self.number.min(plan.last_time.max(1)) as u64;
        digest.take(8, usize::from(self.loaded), Sum(number, number));
        digest.bytes()
    }

    fn rows_hash<'r>(&self, rows: impl Iterator<Item = &'r [Word]>) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            let hash = row
                .iter()
                .fold(row.len() as u64, |hash, &word| mix(hash ^ self.interner.content_hash(word)));
            sum.add(Sum(hash, mix(hash ^ 0x5851_F42D_4C95_7F2D)));
        }
        sum
    }
}

/// A hash of a set: the sum of its elements', in two lanes.
#[derive(Clone, Copy, Default)]
struct Sum(u64, u64);

impl Sum {
    fn add(&mut self, other: Sum) {
        self.0 = self.0.wrapping_add(other.0);
        self.1 = self.1.wrapping_add(other.1);
    }

    fn remove(&mut self, other: Sum) {
        self.0 = self.0.wrapping_sub(other.0);
        self.1 = self.1.wrapping_sub(other.1);
    }
}

#[derive(Default)]
struct Digest(u64, u64);

impl Digest {
    fn take(&mut self, kind: u64, place: usize, set: Sum) {
        let salt = kind << 32 | place as u64;
        self.0 = mix(self.0 ^ mix(set.0 ^ salt));
        self.1 = mix(self.1 ^ mix(set.1 ^ salt) ^ self.0);
    }

    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.1.to_le_bytes());
        bytes
    }
}

fn translate(
    from: &Interner,
    into: &mut Interner,
    known: &mut HashMap<Word, Word, Mixer>,
    word: Word,
) -> Word {
    if let Some(&there) = known.get(&word) {
        return there;
    }
    let mut each = |items: &[Word]| -> Vec<Word> {
        items.iter().map(|&item| translate(from, into, known, item)).collect()
    };
    let new = match from.value(word) {
        Value::None | Value::Bool(_) => word,
        Value::Tuple(items) => {
            let items = each(items);
            into.tuple(&items)
        }
        Value::Set(items) => {
            let items = each(items);
            into.sorted_set(&items)
        }
        Value::Int(value) => into.int(value),
        Value::Float(value) => into.float(value),
        Value::Str(text) => into.str(text.as_str()),
        Value::Bytes(bytes) => into.bytes(bytes),
    };
    known.insert(word, new);
    new
}
