//! An index: the rows of a relation by some of their columns.
//!
//! The ids of equal key stand together in a bucket, so that a reader knows all
//! of them before it touches a row and the misses overlap.  A bucket that is full
//! moves to one of twice the size; a row that leaves is replaced by the last of
//! its bucket.  Both take constant time however many rows share a key.

use crate::table::Table;
use crate::values::{mix, Word};

#[derive(Clone, Copy, Default)]
struct Bucket {
    start: u32,
    len: u32,
    /// Room for 2^size ids.
    size: u32,
}

#[derive(Clone)]
pub struct Index {
    pub columns: Box<[u16]>,
    heads: Table,
    buckets: Vec<Bucket>,
    free_buckets: Vec<u32>,
    ids: Vec<u32>,
    /// Per size, where room in `ids` is free.
    free: Vec<Vec<u32>>,
    /// Per row its place in its bucket.
    places: Vec<u32>,
}

impl Index {
    pub fn new(columns: Box<[u16]>) -> Index {
        Index {
            columns,
            heads: Table::default(),
            buckets: Vec::new(),
            free_buckets: Vec::new(),
            ids: Vec::new(),
            free: Vec::new(),
            places: Vec::new(),
        }
    }

    pub fn clear(&mut self) {
        self.heads.clear();
        self.buckets.clear();
        self.free_buckets.clear();
        self.ids.clear();
        self.free.clear();
        self.places.clear();
    }

    #[inline(always)]
    fn hash_row(&self, row: &[Word]) -> u64 {
        self.columns.iter().fold(0, |hash, &column| mix(row[usize::from(column)] ^ hash))
    }

    /// The first row of a bucket stands for its key.
    #[inline(always)]
    fn sample<'d>(&self, data: &'d [Word], arity: usize, bucket: u32) -> &'d [Word] {
        let id = self.ids[self.buckets[bucket as usize].start as usize];
        &data[id as usize * arity..][..arity]
    }

    fn same(&self, data: &[Word], arity: usize, bucket: u32, row: &[Word]) -> bool {
        let other = self.sample(data, arity, bucket);
        self.columns.iter().all(|&column| other[usize::from(column)] == row[usize::from(column)])
    }

    /// Room for 2^size ids.
    fn room(&mut self, size: u32) -> u32 {
        if let Some(start) = self.free.get_mut(size as usize).and_then(Vec::pop) {
            return start;
        }
        let start = self.ids.len();
        self.ids.resize(start + (1 << size), 0);
        start as u32
    }

    fn give_back(&mut self, start: u32, size: u32) {
        if self.free.len() <= size as usize {
            self.free.resize(size as usize + 1, Vec::new());
        }
        self.free[size as usize].push(start);
    }

    /// Enters row `id`, whose words are in `data` already.
    pub fn link(&mut self, data: &[Word], arity: usize, id: u32) {
        let at = id as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, 0);
        }
        let row = &data[at * arity..][..arity];
        let hash = self.hash_row(row);
        let Some(number) = self.heads.find(hash, |known| self.same(data, arity, known, row)) else {
            let bucket = Bucket { start: self.room(0), len: 1, size: 0 };
            self.ids[bucket.start as usize] = id;
            self.places[at] = 0;
            let number = match self.free_buckets.pop() {
                Some(number) => {
                    self.buckets[number as usize] = bucket;
                    number
                }
                None => {
                    self.buckets.push(bucket);
                    (self.buckets.len() - 1) as u32
                }
            };
            self.heads.insert(hash, number);
            return;
        };
        let mut bucket = self.buckets[number as usize];
        if bucket.len == 1 << bucket.size {
            let start = self.room(bucket.size + 1);
            let from = bucket.start as usize;
            self.ids.copy_within(from..from + bucket.len as usize, start as usize);
            self.give_back(bucket.start, bucket.size);
            (bucket.start, bucket.size) = (start, bucket.size + 1);
        }
        self.ids[(bucket.start + bucket.len) as usize] = id;
        self.places[at] = bucket.len;
        bucket.len += 1;
        self.buckets[number as usize] = bucket;
    }

    pub fn unlink(&mut self, data: &[Word], arity: usize, id: u32) {
        let at = id as usize;
        let row = &data[at * arity..][..arity];
        let hash = self.hash_row(row);
        let Some(number) = self.heads.find(hash, |known| self.same(data, arity, known, row)) else {
            return;
        };
        let bucket = &mut self.buckets[number as usize];
        bucket.len -= 1;
        let Bucket { start, len, size } = *bucket;
        if len == 0 {
            self.heads.remove(hash, number);
            self.free_buckets.push(number);
            self.give_back(start, size);
            return;
        }
        let last = self.ids[(start + len) as usize];
        let place = self.places[at];
        self.ids[(start + place) as usize] = last;
        self.places[last as usize] = place;
    }

    /// The rows whose columns are `key`.
    #[inline(always)]
    pub fn rows(&self, data: &[Word], arity: usize, key: &[Word]) -> &[u32] {
        let hash = key.iter().fold(0, |hash, &word| mix(word ^ hash));
        let found = self.heads.find(hash, |number| {
            let row = self.sample(data, arity, number);
            self.columns.iter().zip(key).all(|(&column, &word)| row[usize::from(column)] == word)
        });
        match found {
            Some(number) => {
                let bucket = self.buckets[number as usize];
                &self.ids[bucket.start as usize..][..bucket.len as usize]
            }
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_and_go() {
        let mut index = Index::new(vec![0].into());
        let (mut data, mut alive) = (Vec::new(), Vec::new());
        let mut state = 7u64;
        for id in 0..2000u32 {
            state = mix(state);
            data.extend_from_slice(&[state % 13, u64::from(id)]);
            index.link(&data, 2, id);
            alive.push(id);
            if state % 3 == 0 {
                let gone = alive.swap_remove((state >> 32) as usize % alive.len());
                index.unlink(&data, 2, gone);
            }
        }
        for key in 0..13 {
            let mut found = index.rows(&data, 2, &[key]).to_vec();
            let mut wanted: Vec<u32> =
                alive.iter().copied().filter(|&id| data[id as usize * 2] == key).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted);
        }
    }
}
