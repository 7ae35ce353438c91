//! An index: the rows of a relation by some of their columns.
//!
//! Rows of equal key form a doubly linked chain through two arrays beside the
//! rows, so that a row enters and leaves in constant time however many share
//! its key.

use crate::table::Table;
use crate::values::{mix, Word};

pub const END: u32 = u32::MAX;

#[derive(Clone)]
pub struct Index {
    pub columns: Box<[u16]>,
    heads: Table,
    next: Vec<u32>,
    prev: Vec<u32>,
}

impl Index {
    pub fn new(columns: Box<[u16]>) -> Index {
        Index { columns, heads: Table::default(), next: Vec::new(), prev: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.heads.clear();
        self.next.clear();
        self.prev.clear();
    }

    #[inline(always)]
    fn hash_row(&self, row: &[Word]) -> u64 {
        self.columns.iter().fold(0, |hash, &column| mix(row[usize::from(column)] ^ hash))
    }

    #[inline(always)]
    fn same(&self, data: &[Word], arity: usize, id: u32, row: &[Word]) -> bool {
        let other = &data[id as usize * arity..][..arity];
        self.columns.iter().all(|&column| other[usize::from(column)] == row[usize::from(column)])
    }

    /// Enters row `id`, whose words are in `data` already.  Ids come in any order once.
    pub fn link(&mut self, data: &[Word], arity: usize, id: u32) {
        let at = id as usize;
        if self.next.len() <= at {
            self.next.resize(at + 1, END);
            self.prev.resize(at + 1, END);
        }
        let row = &data[at * arity..][..arity];
        let hash = self.hash_row(row);
        self.heads.reserve(1);
        let mut heads = std::mem::take(&mut self.heads);
        let known = heads.find_or_insert(hash, id, |other| self.same(data, arity, other, row));
        if let Some(head) = known {
            heads.replace(hash, head, id);
            self.prev[head as usize] = id;
        }
        self.heads = heads;
        self.next[at] = known.unwrap_or(END);
        self.prev[at] = END;
    }

    pub fn unlink(&mut self, data: &[Word], arity: usize, id: u32) {
        let at = id as usize;
        let (next, prev) = (self.next[at], self.prev[at]);
        if next != END {
            self.prev[next as usize] = prev;
        }
        if prev != END {
            self.next[prev as usize] = next;
        } else {
            let hash = self.hash_row(&data[at * arity..][..arity]);
            if next != END {
                self.heads.replace(hash, id, next);
            } else {
                self.heads.remove(hash, id);
            }
        }
    }

    /// The newest row whose columns are `key`, or END.
    #[inline(always)]
    pub fn first(&self, data: &[Word], arity: usize, key: &[Word]) -> u32 {
        let hash = key.iter().fold(0, |hash, &word| mix(word ^ hash));
        self.heads
            .find(hash, |id| {
                let row = &data[id as usize * arity..][..arity];
                self.columns
                    .iter()
                    .zip(key)
                    .all(|(&column, &word)| row[usize::from(column)] == word)
            })
            .unwrap_or(END)
    }

    #[inline(always)]
    pub fn next(&self, id: u32) -> u32 {
        self.next[id as usize]
    }
}
