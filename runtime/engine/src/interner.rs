//! The values that do not fit a word, each held once.
//!
//! Entries are not counted; they are reclaimed by a sweep: when as many values
//! have come in since the last sweep as it left alive, the engine marks what
//! its rows hold ([`Interner::mark`]) and the rest is freed.  That is constant
//! work per value that comes in, and none per row that holds it.

use crate::values::{handle_of, handle_word, mix, short_str, small_float, small_int, Word};
use hashbrown::HashTable;

#[derive(Clone, Debug, PartialEq)]
pub enum Obj {
    Free,
    Int(i64),
    Float(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    Tuple(Box<[Word]>),
    /// Elements in value order, each once.
    Set(Box<[Word]>),
}

/// `hash` is of the content and equal in every run.
#[derive(Clone)]
struct Entry {
    obj: Obj,
    hash: u64,
}

/// No sweep below this many values.
const SWEEP_FLOOR: usize = 1 << 14;

#[derive(Clone, Default)]
pub struct Interner {
    entries: Vec<Entry>,
    free: Vec<u32>,
    table: HashTable<u32>,
    marks: Vec<u64>,
    pinned: Vec<Word>,
    fresh: usize,
    kept: usize,
}

fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = mix(seed ^ bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    let mut word = [0u8; 8];
    let rest = chunks.remainder();
    word[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(word))
}

impl Interner {
    pub fn object(&self, handle: u32) -> &Obj {
        &self.entries[handle as usize].obj
    }

    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// A hash of the value itself, equal in every run and engine.
    pub fn content_hash(&self, word: Word) -> u64 {
        match handle_of(word) {
            Some(handle) => self.entries[handle as usize].hash,
            None => mix(word),
        }
    }

    fn hash_items(&self, seed: u64, items: &[Word]) -> u64 {
        items
            .iter()
            .fold(mix(seed ^ items.len() as u64), |hash, &item| mix(hash ^ self.content_hash(item)))
    }

    fn intern(
        &mut self,
        hash: u64,
        same: impl Fn(&Obj) -> bool,
        make: impl FnOnce() -> Obj,
    ) -> Word {
        let entries = &self.entries;
        if let Some(&handle) = self.table.find(hash, |&handle| {
            let entry = &entries[handle as usize];
            entry.hash == hash && same(&entry.obj)
        }) {
            return handle_word(handle);
        }
        let entry = Entry { obj: make(), hash };
        let handle = match self.free.pop() {
            Some(handle) => {
                self.entries[handle as usize] = entry;
                handle
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.fresh += 1;
        let entries = &self.entries;
        self.table.insert_unique(hash, handle, |&other| entries[other as usize].hash);
        handle_word(handle)
    }

    pub fn int(&mut self, value: i64) -> Word {
        small_int(value).unwrap_or_else(|| {
            let hash = mix(mix(value as u64) ^ 1);
            self.intern(hash, |obj| *obj == Obj::Int(value), || Obj::Int(value))
        })
    }

    /// NaN is refused by the caller; there is one zero.
    pub fn float(&mut self, value: f64) -> Word {
        let value = value + 0.0;
        small_float(value).unwrap_or_else(|| {
            let hash = mix(mix(value.to_bits()) ^ 2);
            self.intern(hash, |obj| *obj == Obj::Float(value), || Obj::Float(value))
        })
    }

    pub fn str(&mut self, value: &str) -> Word {
        short_str(value.as_bytes()).unwrap_or_else(|| {
            let hash = hash_bytes(3, value.as_bytes());
            self.intern(
                hash,
                |obj| matches!(obj, Obj::Str(text) if **text == *value),
                || Obj::Str(value.into()),
            )
        })
    }

    pub fn bytes(&mut self, value: &[u8]) -> Word {
        let hash = hash_bytes(4, value);
        self.intern(
            hash,
            |obj| matches!(obj, Obj::Bytes(bytes) if **bytes == *value),
            || Obj::Bytes(value.into()),
        )
    }

    pub fn tuple(&mut self, items: &[Word]) -> Word {
        let hash = self.hash_items(5, items);
        self.intern(
            hash,
            |obj| matches!(obj, Obj::Tuple(known) if **known == *items),
            || Obj::Tuple(items.into()),
        )
    }

    /// Elements in any order, repeated or not.
    pub fn set(&mut self, mut items: Vec<Word>) -> Word {
        items.sort_unstable_by(|&a, &b| self.cmp(a, b));
        items.dedup();
        self.sorted_set(&items)
    }

    /// The hash of a set is a sum over its elements, so that one more is one more addition.
    fn hash_element(&self, item: Word) -> u64 {
        mix(self.content_hash(item) ^ 6)
    }

    pub fn sorted_set(&mut self, items: &[Word]) -> Word {
        let hash =
            items.iter().fold(mix(6), |hash, &item| hash.wrapping_add(self.hash_element(item)));
        self.intern_set(hash, items)
    }

    /// A set and some elements that it has not: `places` says before which of its own.
    pub fn grown_set(&mut self, set: Word, more: &[Word], places: &[usize]) -> Word {
        let items = self.set_items(set);
        let mut grown = Vec::with_capacity(items.len() + more.len());
        let mut taken = 0;
        for (&item, &place) in more.iter().zip(places) {
            grown.extend_from_slice(&items[taken..place]);
            grown.push(item);
            taken = place;
        }
        grown.extend_from_slice(&items[taken..]);
        let hash = more
            .iter()
            .fold(self.content_hash(set), |hash, &item| hash.wrapping_add(self.hash_element(item)));
        self.intern_set(hash, &grown)
    }

    fn intern_set(&mut self, hash: u64, items: &[Word]) -> Word {
        self.intern(
            hash,
            |obj| matches!(obj, Obj::Set(known) if **known == *items),
            || Obj::Set(items.into()),
        )
    }

    /// Never swept: the constants of a plan.
    pub fn pin(&mut self, word: Word) {
        if handle_of(word).is_some() {
            self.pinned.push(word);
        }
    }

    pub fn wants_sweep(&self) -> bool {
        self.fresh > self.kept.max(SWEEP_FLOOR)
    }

    /// After this, [`Interner::mark`] everything that is held, then [`Interner::sweep`].
    pub fn begin_marking(&mut self) {
        self.marks.clear();
        self.marks.resize(self.entries.len().div_ceil(64), 0);
        let pinned = std::mem::take(&mut self.pinned);
        self.mark(&pinned);
        self.pinned = pinned;
    }

    pub fn mark(&mut self, words: &[Word]) {
        for &word in words {
            if let Some(handle) = handle_of(word) {
                self.mark_handle(handle);
            }
        }
    }

    fn mark_handle(&mut self, handle: u32) {
        let mut open = vec![handle];
        while let Some(handle) = open.pop() {
            let (slot, bit) = (handle as usize / 64, 1u64 << (handle % 64));
            if self.marks[slot] & bit != 0 {
                continue;
            }
            self.marks[slot] |= bit;
            if let Obj::Tuple(items) | Obj::Set(items) = &self.entries[handle as usize].obj {
                open.extend(items.iter().filter_map(|&item| handle_of(item)));
            }
        }
    }

    pub fn sweep(&mut self) {
        for handle in 0..self.entries.len() {
            if self.marks[handle / 64] & (1 << (handle % 64)) != 0 {
                continue;
            }
            let entry = &mut self.entries[handle];
            if entry.obj == Obj::Free {
                continue;
            }
            let (hash, wanted) = (entry.hash, handle as u32);
            entry.obj = Obj::Free;
            if let Ok(found) = self.table.find_entry(hash, |&other| other == wanted) {
                found.remove();
            }
            self.free.push(wanted);
        }
        self.fresh = 0;
        self.kept = self.len();
    }
}
