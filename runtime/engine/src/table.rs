//! An open-addressing table of (hash, row id), where one hash may have many ids.
//!
//! It holds no keys: the caller compares rows.  A slot keeps 32 bits of the
//! hash beside the id, so that a miss rarely touches a row, and a deletion can
//! shift its successors back without asking for their rows.

const EMPTY: u64 = u64::MAX;
const SMALLEST: usize = 8;

#[derive(Clone, Default)]
pub struct Table {
    slots: Vec<u64>,
    len: usize,
}

#[inline(always)]
fn slot(hash: u64, id: u32) -> u64 {
    (hash & 0xFFFF_FFFF) << 32 | u64::from(id)
}

impl Table {
    #[inline(always)]
    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    pub fn clear(&mut self) {
        if self.len * 16 < self.slots.len() && self.slots.len() > 256 {
            self.slots = Vec::new();
        } else {
            self.slots.fill(EMPTY);
        }
        self.len = 0;
    }

    /// Room for `more` ids, a third of the slots left empty: fuller, and whoever overwrites
    /// walks through runs of ten.
    pub fn reserve(&mut self, more: usize) {
        let wanted = (self.len + more) * 3 / 2 + 1;
        if wanted <= self.slots.len() {
            return;
        }
        let size = wanted.next_power_of_two().max(SMALLEST);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        let mask = size - 1;
        for entry in old {
            if entry != EMPTY {
                let mut at = (entry >> 32) as usize & mask;
                while self.slots[at] != EMPTY {
                    at = (at + 1) & mask;
                }
                self.slots[at] = entry;
            }
        }
    }

    /// The first id of this hash that `same` accepts.
    #[inline(always)]
    pub fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let (mask, tag) = (self.mask(), hash & 0xFFFF_FFFF);
        let mut at = tag as usize & mask;
        loop {
            let entry = self.slots[at];
            if entry == EMPTY {
                return None;
            }
            if entry >> 32 == tag && same(entry as u32) {
                return Some(entry as u32);
            }
            at = (at + 1) & mask;
        }
    }

    /// As `find`; where there is none, `id` is entered.  Room must be reserved.
    #[inline(always)]
    pub fn find_or_insert(
        &mut self,
        hash: u64,
        id: u32,
        mut same: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let (mask, tag) = (self.mask(), hash & 0xFFFF_FFFF);
        let mut at = tag as usize & mask;
        loop {
            let entry = self.slots[at];
            if entry == EMPTY {
                self.slots[at] = slot(hash, id);
                self.len += 1;
                return None;
            }
            if entry >> 32 == tag && same(entry as u32) {
                return Some(entry as u32);
            }
            at = (at + 1) & mask;
        }
    }

    pub fn insert(&mut self, hash: u64, id: u32) {
        self.reserve(1);
        self.find_or_insert(hash, id, |_| false);
    }

    fn place(&self, hash: u64, id: u32) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let (mask, wanted) = (self.mask(), slot(hash, id));
        let mut at = (hash & 0xFFFF_FFFF) as usize & mask;
        while self.slots[at] != EMPTY {
            if self.slots[at] == wanted {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    pub fn replace(&mut self, hash: u64, id: u32, by: u32) {
        if let Some(at) = self.place(hash, id) {
            self.slots[at] = slot(hash, by);
        }
    }

    pub fn remove(&mut self, hash: u64, id: u32) {
        let Some(mut hole) = self.place(hash, id) else {
            return;
        };
        let mask = self.mask();
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.slots[at];
            if entry == EMPTY {
                break;
            }
            let home = (entry >> 32) as usize & mask;
            // The entry may move back to the hole unless its home lies after it.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = entry;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
    }

    /// The first id that shares the hash's 32 bits, to be read ahead of its use.
    #[inline(always)]
    pub fn likely(&self, hash: u64) -> u32 {
        self.find(hash, |_| true).unwrap_or(u32::MAX)
    }

    /// The slot that a hash begins at, read ahead of its use.
    #[inline(always)]
    pub fn peek(&self, hash: u64) -> u64 {
        if self.slots.is_empty() {
            return EMPTY;
        }
        self.slots[(hash & 0xFFFF_FFFF) as usize & self.mask()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_hash_come_and_go() {
        let mut table = Table::default();
        let hash = |id: u32| u64::from(id % 97) << 3;
        for id in 0..5000 {
            table.insert(hash(id), id);
        }
        for id in (0..5000).filter(|id| id % 3 == 0) {
            table.remove(hash(id), id);
        }
        for id in 0..5000 {
            let found = table.find(hash(id), |other| other == id);
            assert_eq!(found, (id % 3 != 0).then_some(id));
        }
    }
}
