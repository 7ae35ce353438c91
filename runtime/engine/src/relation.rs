//! A relation: rows in the order in which they came, a table that finds equal
//! rows (or keys), and indexes on the column sets that plans ask for.
//!
//! Rows are never changed in place.  Within a tick a row that was there at its
//! start and leaves is only marked (`GONE`), so that what lost it can still be
//! found through the indexes; [`Relation::commit`] drops such rows, and
//! [`Relation::undo`] brings them back and cuts off those that came.  A row's id
//! grows with time: in a recursive view it orders derivations (see `maintain`).

use crate::index::Index;
use crate::table::Table;
use crate::values::{hash_words, same_words, Word};
use std::sync::atomic::{AtomicU64, Ordering};

/// Versions are given once in a process.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

fn next_version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

/// Not in the relation now.
const GONE: u8 = 1;
/// Out of the table and indexes as well; it only takes room.
const DEAD: u8 = 2;
/// Left and came back within the tick: no change to anyone.
const BACK: u8 = 4;

const COMPACT_FLOOR: usize = 64;
/// Room for so many removals is kept for the next tick.
const KEPT_ROOM: usize = 1024;

#[derive(Clone)]
pub struct Relation {
    pub arity: usize,
    /// How many columns identify a row: all of them where none is a key.
    pub key: usize,
    data: Vec<Word>,
    state: Vec<u8>,
    rank: Vec<u64>,
    ranked: bool,
    /// Who put a row there, where a key conflict has to say so.
    origin: Vec<u32>,
    sourced: bool,
    table: Table,
    indexes: Vec<Option<Index>>,
    live: usize,
    /// Of those, how many came in this tick.
    came: usize,
    dead: usize,
    /// Rows from this id on came in this tick.
    start: u32,
    removed: Vec<u32>,
    backs: Vec<u32>,
    /// Renewed whenever the content changes: copies for snapshots go by it.
    pub version: u64,
}

impl Relation {
    pub fn new(arity: usize, key: usize, ranked: bool, sourced: bool, indexes: usize) -> Relation {
        Relation {
            arity,
            key,
            data: Vec::new(),
            state: Vec::new(),
            rank: Vec::new(),
            ranked,
            origin: Vec::new(),
            sourced,
            table: Table::default(),
            indexes: vec![None; indexes],
            live: 0,
            came: 0,
            dead: 0,
            start: 0,
            removed: Vec::new(),
            backs: Vec::new(),
            version: next_version(),
        }
    }

    /// The live rows with other words for the same values.
    pub fn translated(&self, words: &mut dyn FnMut(&[Word]) -> Vec<Word>) -> Relation {
        let indexes = self.indexes.len();
        let mut other = Relation::new(self.arity, self.key, self.ranked, self.sourced, indexes);
        for id in self.ids() {
            let row = words(self.row(id));
            if let (Ok(new), true) = (other.insert(&row, self.rank(id)), self.sourced) {
                other.set_origin(new, self.origin(id));
            }
        }
        other.commit();
        other
    }

    #[inline(always)]
    pub fn row(&self, id: u32) -> &[Word] {
        &self.data[id as usize * self.arity..][..self.arity]
    }

    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.state.len() as u32
    }

    pub fn live(&self) -> usize {
        self.live
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether it is as `clear` leaves it.
    pub fn is_clear(&self) -> bool {
        self.state.is_empty()
    }

    pub fn start(&self) -> u32 {
        self.start
    }

    #[inline(always)]
    pub fn alive(&self, id: u32) -> bool {
        self.state[id as usize] & GONE == 0
    }

    /// Whether all rows that an index leads to are alive.
    #[inline(always)]
    pub fn whole(&self) -> bool {
        self.removed.is_empty()
    }

    /// Alive, or there at the tick's start.
    #[inline(always)]
    pub fn known(&self, id: u32) -> bool {
        self.state[id as usize] & DEAD == 0
    }

    /// In the relation at the tick's start and now alike.
    pub fn kept(&self, id: u32) -> bool {
        let state = self.state[id as usize];
        state & GONE == 0 && (id < self.start || state & BACK != 0)
    }

    #[inline(always)]
    pub fn rank(&self, id: u32) -> u64 {
        if self.ranked {
            self.rank[id as usize]
        } else {
            u64::from(id)
        }
    }

    /// Who put the row there.
    pub fn origin(&self, id: u32) -> u32 {
        self.origin.get(id as usize).copied().unwrap_or(0)
    }

    pub fn set_origin(&mut self, id: u32, origin: u32) {
        if self.sourced {
            self.origin[id as usize] = origin;
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len()).filter(|&id| self.alive(id))
    }

    pub fn rows(&self) -> impl Iterator<Item = &[Word]> + '_ {
        self.ids().map(|id| self.row(id))
    }

    /// Whether the tick has changed anything so far.
    pub fn touched(&self) -> bool {
        self.len() > self.start || !self.removed.is_empty()
    }

    /// Whether none of its rows was there at the tick's start.
    pub fn is_new(&self) -> bool {
        self.live == self.came && self.backs.is_empty()
    }

    /// Ids that came in this tick and are news to others.
    pub fn added(&self) -> impl Iterator<Item = u32> + '_ {
        (self.start..self.len()).filter(|&id| self.state[id as usize] == 0)
    }

    /// Ids that left in this tick, those that came back not counted.
    pub fn removed(&self) -> impl Iterator<Item = u32> + '_ {
        self.removed.iter().copied().filter(|&id| self.state[id as usize] & BACK == 0)
    }

    pub fn has_added(&self) -> bool {
        self.len() > self.start && self.added().next().is_some()
    }

    pub fn has_removed(&self) -> bool {
        self.removed().next().is_some()
    }

    /// How many ids were marked gone, those that came back included.
    pub fn removed_so_far(&self) -> &[u32] {
        &self.removed
    }

    fn hash_of(&self, row: &[Word]) -> u64 {
        hash_words(&row[..self.key])
    }

    /// The live row that `key` (at least the key columns) identifies.
    pub fn find(&self, key: &[Word]) -> Option<u32> {
        let key = &key[..self.key];
        self.table.find(hash_words(key), |id| {
            self.alive(id) && same_words(&self.row(id)[..self.key], key)
        })
    }

    pub fn find_exact(&self, row: &[Word]) -> Option<u32> {
        self.find(row).filter(|&id| same_words(self.row(id), row))
    }

    /// A row that `key` identifies, alive or there at the tick's start.
    pub fn find_known(&self, key: &[Word], mut accept: impl FnMut(u32) -> bool) -> Option<u32> {
        let key = &key[..self.key];
        self.table
            .find(hash_words(key), |id| same_words(&self.row(id)[..self.key], key) && accept(id))
    }

    pub fn contains(&self, row: &[Word]) -> bool {
        self.find_exact(row).is_some()
    }

    pub fn reserve(&mut self, rows: usize) {
        self.table.reserve(rows);
    }

    /// Where a hash leads to, read ahead of its use.
    #[inline(always)]
    pub fn peek(&self, hash: u64) -> u64 {
        self.table.peek(hash)
    }

    /// The row that a hash most likely means; none where nothing has that hash.
    #[inline(always)]
    pub fn likely(&self, hash: u64) -> u32 {
        self.table.likely(hash)
    }

    /// Reads a row ahead of its use, if there is such a row.
    #[inline(always)]
    pub fn glance(&self, id: u32) -> u64 {
        self.data.get(id as usize * self.arity).copied().unwrap_or(0)
    }

    /// Enters a row unless one of its key is there: then that one's id.
    #[inline(always)]
    pub fn insert(&mut self, row: &[Word], rank: u64) -> Result<u32, u32> {
        self.insert_hashed(row, self.hash_of(row), rank)
    }

    #[inline(always)]
    pub fn insert_hashed(&mut self, row: &[Word], hash: u64, rank: u64) -> Result<u32, u32> {
        self.table.reserve(1);
        let id = self.len();
        let (data, state, arity, key) = (&self.data, &self.state, self.arity, self.key);
        let all_alive = self.removed.is_empty();
        let known = self.table.find_or_insert(hash, id, |other| {
            (all_alive || state[other as usize] & GONE == 0)
                && same_words(&data[other as usize * arity..][..key], &row[..key])
        });
        if let Some(known) = known {
            return Err(known);
        }
        self.data.extend_from_slice(row);
        self.state.push(0);
        if self.ranked {
            self.rank.push(rank);
        }
        if self.sourced {
            self.origin.push(0);
        }
        self.live += 1;
        self.came += 1;
        for index in self.indexes.iter_mut().flatten() {
            index.link(&self.data, self.arity, id);
        }
        Ok(id)
    }

    /// Takes a live row out.
    pub fn remove(&mut self, id: u32) {
        self.live -= 1;
        if id < self.start {
            self.state[id as usize] |= GONE;
            self.removed.push(id);
        } else {
            self.came -= 1;
            self.drop_row(id);
        }
    }

    /// Writes `row` over one of the same key, where no index has another column.
    pub fn overwrite(&mut self, id: u32, row: &[Word]) -> bool {
        let mut indexes = self.indexes.iter().flatten();
        if indexes.any(|index| index.columns.iter().any(|&column| usize::from(column) >= self.key))
        {
            return false;
        }
        self.data[id as usize * self.arity..][..self.arity].copy_from_slice(row);
        true
    }

    /// Puts `row` in the place of one of the same key; in one go where that one came in
    /// this tick, as a growing lattice value does again and again.
    pub fn supersede(&mut self, old: u32, row: &[Word], rank: u64) -> u32 {
        let hash = self.hash_of(row);
        if old < self.start {
            self.remove(old);
            return self.insert_hashed(row, hash, rank).unwrap_or_else(|known| known);
        }
        let id = self.len();
        self.data.extend_from_slice(row);
        self.state.push(0);
        if self.ranked {
            self.rank.push(rank);
        }
        if self.sourced {
            self.origin.push(0);
        }
        self.table.replace(hash, old, id);
        for index in self.indexes.iter_mut().flatten() {
            index.unlink(&self.data, self.arity, old);
            index.link(&self.data, self.arity, id);
        }
        self.state[old as usize] = GONE | DEAD;
        self.dead += 1;
        id
    }

    fn drop_row(&mut self, id: u32) {
        let hash = self.hash_of(self.row(id));
        self.table.remove(hash, id);
        for index in self.indexes.iter_mut().flatten() {
            index.unlink(&self.data, self.arity, id);
        }
        self.state[id as usize] = GONE | DEAD;
        self.dead += 1;
    }

    /// Pairs rows that left with equal rows that came, which makes both no news.
    pub fn settle(&mut self) {
        if self.removed.is_empty() || self.len() == self.start {
            return;
        }
        for at in 0..self.removed.len() {
            let id = self.removed[at];
            if self.state[id as usize] & BACK != 0 {
                continue;
            }
            if let Some(other) = self.find_exact(self.row(id)) {
                self.state[id as usize] |= BACK;
                self.state[other as usize] |= BACK;
                self.backs.push(other);
            }
        }
    }

    /// The tick is over: what left is dropped, what came is there.
    pub fn commit(&mut self) {
        if !self.touched() {
            return;
        }
        self.version = next_version();
        for at in 0..self.removed.len() {
            self.drop_row(self.removed[at]);
        }
        if self.removed.len() <= KEPT_ROOM {
            self.removed.clear();
        } else {
            self.removed = Vec::new();
        }
        for id in std::mem::take(&mut self.backs) {
            self.state[id as usize] &= !BACK;
        }
        if self.dead > COMPACT_FLOOR && self.dead > self.live {
            self.compact();
        }
        self.start = self.len();
        self.came = 0;
    }

    /// The tick failed: everything is as at its start.
    pub fn undo(&mut self) {
        if !self.touched() {
            return;
        }
        for id in (self.start..self.len()).rev() {
            if self.state[id as usize] & DEAD == 0 {
                self.drop_row(id);
                self.live -= usize::from(true);
            }
            self.dead -= 1;
        }
        let kept = self.start as usize;
        self.data.truncate(kept * self.arity);
        self.state.truncate(kept);
        self.rank.truncate(kept);
        self.origin.truncate(kept);
        for id in std::mem::take(&mut self.removed) {
            self.state[id as usize] = 0;
            self.live += 1;
        }
        self.backs.clear();
        self.came = 0;
    }

    /// Every live row leaves (a maintained relation that is computed anew).
    pub fn remove_all(&mut self) {
        let ids: Vec<u32> = self.ids().collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// Empties an ephemeral relation before a tick.
    pub fn clear(&mut self) {
        if self.state.is_empty() {
            return;
        }
        self.version = next_version();
        let rows = self.state.len();
        self.data.clear();
        self.state.clear();
        self.rank.clear();
        self.origin.clear();
        if self.data.capacity() > 1 << 16 && self.data.capacity() / 16 > rows * self.arity {
            self.data = Vec::new();
            self.state = Vec::new();
        }
        self.table.clear();
        self.indexes.iter_mut().flatten().for_each(Index::clear);
        self.removed.clear();
        self.backs.clear();
        (self.live, self.came, self.dead, self.start) = (0, 0, 0, 0);
    }

    /// An empty set of rows of this width, in the room of whatever this was.
    pub fn recast(&mut self, arity: usize) {
        self.clear();
        (self.arity, self.key) = (arity, arity);
    }

    fn compact(&mut self) {
        let mut rows = 0u32;
        self.table.clear();
        self.table.reserve(self.live);
        for id in 0..self.len() {
            if self.state[id as usize] & GONE != 0 {
                continue;
            }
            let (from, to) = (id as usize * self.arity, rows as usize * self.arity);
            self.data.copy_within(from..from + self.arity, to);
            if self.ranked {
                self.rank[rows as usize] = self.rank[id as usize];
            }
            if self.sourced {
                self.origin[rows as usize] = self.origin[id as usize];
            }
            let hash = hash_words(&self.data[to..to + self.key]);
            self.table.insert(hash, rows);
            rows += 1;
        }
        self.data.truncate(rows as usize * self.arity);
        self.state.clear();
        self.state.resize(rows as usize, 0);
        if self.ranked {
            self.rank.truncate(rows as usize);
        }
        self.origin.truncate(rows as usize);
        if self.data.capacity() > 4 * self.data.len() {
            self.data.shrink_to(2 * self.data.len());
        }
        self.dead = 0;
        for index in self.indexes.iter_mut().flatten() {
            index.clear();
            for id in 0..rows {
                index.link(&self.data, self.arity, id);
            }
        }
    }

    /// Makes sure that the index in `slot` is there.
    pub fn ensure_index(&mut self, slot: usize, columns: &[u16]) {
        if self.indexes[slot].is_some() {
            return;
        }
        let mut index = Index::new(columns.into());
        for id in 0..self.len() {
            if self.known(id) {
                index.link(&self.data, self.arity, id);
            }
        }
        self.indexes[slot] = Some(index);
    }

    /// The rows, alive or there at the tick's start, whose indexed columns are `key`.
    #[inline(always)]
    pub fn rows_of(&self, slot: usize, key: &[Word]) -> &[u32] {
        match &self.indexes[slot] {
            Some(index) => index.rows(&self.data, self.arity, key),
            None => &[],
        }
    }

    /// Every word that a row, alive or not yet dropped, holds.
    pub fn words(&self) -> &[Word] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(relation: &Relation) -> Vec<Vec<Word>> {
        let mut rows: Vec<Vec<Word>> = relation.rows().map(<[Word]>::to_vec).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn undo_brings_back_what_left_and_forgets_what_came() {
        let mut relation = Relation::new(2, 2, false, false, 1);
        relation.ensure_index(0, &[0]);
        for at in 0..50 {
            let _ = relation.insert(&[at % 5, at], 0);
        }
        relation.commit();
        let before = rows(&relation);
        let gone: Vec<u32> = relation.ids().filter(|id| id % 3 == 0).collect();
        for id in gone {
            relation.remove(id);
        }
        let _ = relation.insert(&[1, 100], 0);
        let _ = relation.insert(&[0, 0], 0);
        relation.settle();
        assert_eq!(relation.added().count(), 1);
        assert_eq!(relation.removed().count(), 16);
        relation.undo();
        assert_eq!(rows(&relation), before);
        assert_eq!(relation.rows_of(0, &[1]).len(), 10);
        assert!(relation.contains(&[0, 0]) && !relation.contains(&[1, 100]));
    }

    #[test]
    fn overwriting_one_key_for_long_takes_no_room() {
        let mut relation = Relation::new(2, 1, false, false, 1);
        relation.ensure_index(0, &[1]);
        for at in 0..20_000 {
            if let Err(old) = relation.insert(&[7, at], 0) {
                relation.supersede(old, &[7, at], 0);
            }
            relation.commit();
        }
        assert_eq!(rows(&relation), [[7, 19_999]]);
        assert!(relation.len() < 2000);
        assert_eq!(relation.rows_of(0, &[19_999]).len(), 1);
    }
}
