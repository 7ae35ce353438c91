//! Frames: MessagePack `[1, sender, {wire name: [row, ...], ...}]`.
//!
//! Encoding is byte for byte that of `bloomish.runtime.frames_reference`.
//! Decoding takes the frames that this encoder makes, and whatever else is
//! plainly right; at anything odd it gives up without having done anything, and
//! the reference decoder says what is to be refused and why.

use crate::interner::Interner;
use crate::lattice::Type;
use crate::values::{bool_word, Value, Word, NONE};

pub const VERSION: u8 = 1;
/// Arrays within arrays, from the network.
const DEEPEST: usize = 64;
/// Frames above this size are refused unread, as the `Evaluator` interface has it.
pub const LARGEST: usize = 16 << 20;

pub fn put_int(out: &mut Vec<u8>, value: i64) {
    match value {
        0..=0x7F => out.push(value as u8),
        0x80..=0xFF => out.extend_from_slice(&[0xCC, value as u8]),
        0x100..=0xFFFF => {
            out.push(0xCD);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xFFFF_FFFF => {
            out.push(0xCE);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xCF);
            out.extend_from_slice(&(value as u64).to_be_bytes());
        }
        -0x20..=-1 => out.push(value as u8),
        -0x80..=-0x21 => out.extend_from_slice(&[0xD0, value as u8]),
        -0x8000..=-0x81 => {
            out.push(0xD1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xD2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xD3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// A length after its smallest header: `fix` (with `limit` as its end), 8, 16 or 32 bits.
fn put_length(out: &mut Vec<u8>, length: usize, fix: (u8, usize), codes: [Option<u8>; 3]) {
    if length < fix.1 {
        out.push(fix.0 | length as u8);
    } else if let (Some(code), true) = (codes[0], length <= 0xFF) {
        out.extend_from_slice(&[code, length as u8]);
    } else if let (Some(code), true) = (codes[1], length <= 0xFFFF) {
        out.push(code);
        out.extend_from_slice(&(length as u16).to_be_bytes());
    } else if let Some(code) = codes[2] {
        out.push(code);
        out.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

pub fn put_array(out: &mut Vec<u8>, length: usize) {
    put_length(out, length, (0x90, 16), [None, Some(0xDC), Some(0xDD)]);
}

pub fn put_map(out: &mut Vec<u8>, length: usize) {
    put_length(out, length, (0x80, 16), [None, Some(0xDE), Some(0xDF)]);
}

pub fn put_str(out: &mut Vec<u8>, text: &str) {
    let codes = [Some(0xD9), Some(0xDA), Some(0xDB)];
    put_length(out, text.len(), (0xA0, 32), codes);
    out.extend_from_slice(text.as_bytes());
}

pub fn put_word(out: &mut Vec<u8>, interner: &Interner, word: Word) {
    match interner.value(word) {
        Value::None => out.push(0xC0),
        Value::Bool(value) => out.push(0xC2 | u8::from(value)),
        Value::Int(value) => put_int(out, value),
        Value::Float(value) => {
            out.push(0xCB);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::Str(text) => put_str(out, text.as_str()),
        Value::Bytes(bytes) => {
            put_length(out, bytes.len(), (0, 0), [Some(0xC4), Some(0xC5), Some(0xC6)]);
            out.extend_from_slice(bytes);
        }
        Value::Tuple(items) | Value::Set(items) => put_row(out, interner, items),
    }
}

pub fn put_row(out: &mut Vec<u8>, interner: &Interner, row: &[Word]) {
    put_array(out, row.len());
    for &word in row {
        put_word(out, interner, word);
    }
}

/// Writes the frames to one peer, split at `limit` bytes.
pub struct Frames {
    limit: usize,
    start: Vec<u8>,
    channels: Vec<(Vec<u8>, usize, Vec<u8>)>,
    size: usize,
    pub done: Vec<Vec<u8>>,
}

impl Frames {
    pub fn new(sender: &str, limit: usize) -> Frames {
        let mut start = Vec::new();
        put_array(&mut start, 3);
        put_int(&mut start, i64::from(VERSION));
        put_str(&mut start, sender);
        Frames { limit, start, channels: Vec::new(), size: 0, done: Vec::new() }
    }

    fn open(&mut self, wire: &str) {
        let mut name = Vec::new();
        put_str(&mut name, wire);
        self.size += name.len() + 5;
        self.channels.push((name, 0, Vec::new()));
    }

    /// Rows of one channel after the other, each channel's together.
    pub fn row(&mut self, wire: &str, new_channel: bool, interner: &Interner, row: &[Word]) {
        if self.channels.is_empty() {
            self.size = self.start.len() + 5;
            self.open(wire);
        } else if new_channel {
            // The headers of the map and of each array take at most 5 bytes.
            self.open(wire);
        }
        let last = self.channels.len() - 1;
        let rows = &mut self.channels[last].2;
        let before = rows.len();
        put_row(rows, interner, row);
        let more = rows.len() - before;
        let alone = last == 0 && self.channels[0].1 == 0;
        if self.size + more > self.limit && !alone {
            let packed = self.channels[last].2.split_off(before);
            if self.channels[last].1 == 0 {
                self.channels.pop();
            }
            self.flush();
            self.size = self.start.len() + 5;
            self.open(wire);
            self.channels[0].2 = packed;
            self.channels[0].1 = 1;
        } else {
            self.channels[last].1 += 1;
        }
        self.size += more;
    }

    pub fn flush(&mut self) {
        if self.channels.is_empty() {
            return;
        }
        let mut frame = self.start.clone();
        frame.reserve(self.size);
        put_map(&mut frame, self.channels.len());
        for (name, count, rows) in self.channels.drain(..) {
            frame.extend_from_slice(&name);
            put_array(&mut frame, count);
            frame.extend_from_slice(&rows);
        }
        self.done.push(frame);
    }
}

/// Something that is not plainly right.
pub struct Odd;

type Taken<T> = Result<T, Odd>;

pub struct Reader<'b> {
    bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes }
    }

    pub fn at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline(always)]
    fn take(&mut self, count: usize) -> Taken<&'b [u8]> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Odd)?;
        self.bytes = tail;
        Ok(head)
    }

    #[inline(always)]
    fn byte(&mut self) -> Taken<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self, width: usize) -> Taken<u64> {
        Ok(self.take(width)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn length(&mut self, width: usize) -> Taken<usize> {
        self.number(width).map(|number| number as usize)
    }

    pub fn array(&mut self) -> Taken<usize> {
        match self.byte()? {
            code @ 0x90..=0x9F => Ok(usize::from(code & 15)),
            0xDC => self.length(2),
            0xDD => self.length(4),
            _ => Err(Odd),
        }
    }

    pub fn map(&mut self) -> Taken<usize> {
        match self.byte()? {
            code @ 0x80..=0x8F => Ok(usize::from(code & 15)),
            0xDE => self.length(2),
            0xDF => self.length(4),
            _ => Err(Odd),
        }
    }

    #[inline(always)]
    pub fn str(&mut self) -> Taken<&'b str> {
        let length = match self.byte()? {
            code @ 0xA0..=0xBF => usize::from(code & 31),
            0xD9 => self.length(1)?,
            0xDA => self.length(2)?,
            0xDB => self.length(4)?,
            _ => return Err(Odd),
        };
        std::str::from_utf8(self.take(length)?).map_err(|_| Odd)
    }

    #[inline(always)]
    pub fn int(&mut self) -> Taken<i64> {
        match self.byte()? {
            code @ 0..=0x7F => Ok(i64::from(code)),
            code @ 0xE0..=0xFF => Ok(i64::from(code as i8)),
            code => self.wide_int(code),
        }
    }

    fn wide_int(&mut self, code: u8) -> Taken<i64> {
        match code {
            0xCC => self.number(1).map(|n| n as i64),
            0xCD => self.number(2).map(|n| n as i64),
            0xCE => self.number(4).map(|n| n as i64),
            0xCF => i64::try_from(self.number(8)?).map_err(|_| Odd),
            0xD0 => self.number(1).map(|n| i64::from(n as i8)),
            0xD1 => self.number(2).map(|n| i64::from(n as i16)),
            0xD2 => self.number(4).map(|n| i64::from(n as i32)),
            0xD3 => self.number(8).map(|n| n as i64),
            _ => Err(Odd),
        }
    }

    /// A value of a column; lattices are left to the reference decoder's checks when
    /// they are not in normal form.
    pub fn value(&mut self, interner: &mut Interner, type_: &Type) -> Taken<Word> {
        match type_ {
            Type::Int => {
                let int = self.int()?;
                Ok(interner.int(int))
            }
            Type::Str => {
                let text = self.str()?;
                Ok(interner.str(text))
            }
            Type::Float => match self.byte()? {
                0xCB => {
                    let float = f64::from_bits(self.number(8)?);
                    if float.is_nan() {
                        return Err(Odd);
                    }
                    Ok(interner.float(float))
                }
                _ => Err(Odd),
            },
            Type::Bool => match self.byte()? {
                code @ 0xC2..=0xC3 => Ok(bool_word(code == 0xC3)),
                _ => Err(Odd),
            },
            Type::Bytes => match self.any(interner, 0)? {
                word if matches!(interner.value(word), Value::Bytes(_)) => Ok(word),
                _ => Err(Odd),
            },
            Type::Tuple(types) => {
                if self.array()? != types.len() {
                    return Err(Odd);
                }
                let mut items = Vec::with_capacity(types.len());
                for type_ in types {
                    items.push(self.value(interner, type_)?);
                }
                Ok(interner.tuple(&items))
            }
            Type::Any | Type::Lattice(_) => self.any(interner, 0),
        }
    }

    fn any(&mut self, interner: &mut Interner, depth: usize) -> Taken<Word> {
        let code = self.byte()?;
        match code {
            0xC0 => Ok(NONE),
            0xC2 | 0xC3 => Ok(bool_word(code == 0xC3)),
            0x00..=0x7F => Ok(interner.int(i64::from(code))),
            0xE0..=0xFF => Ok(interner.int(i64::from(code as i8))),
            0xCC..=0xD3 => {
                let int = self.wide_int(code)?;
                Ok(interner.int(int))
            }
            0xCB => {
                let float = f64::from_bits(self.number(8)?);
                if float.is_nan() {
                    return Err(Odd);
                }
                Ok(interner.float(float))
            }
            0xA0..=0xBF => self.text(interner, usize::from(code & 31)),
            0xD9..=0xDB => {
                let length = self.length(1 << (code - 0xD9))?;
                self.text(interner, length)
            }
            0xC4..=0xC6 => {
                let length = self.length(1 << (code - 0xC4))?;
                let bytes = self.take(length)?;
                Ok(interner.bytes(bytes))
            }
            0x90..=0x9F => self.items(interner, usize::from(code & 15), depth),
            0xDC | 0xDD => {
                let length = self.length(2 << (code - 0xDC))?;
                self.items(interner, length, depth)
            }
            _ => Err(Odd),
        }
    }

    fn text(&mut self, interner: &mut Interner, length: usize) -> Taken<Word> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Odd)?;
        Ok(interner.str(text))
    }

    fn items(&mut self, interner: &mut Interner, length: usize, depth: usize) -> Taken<Word> {
        // Each item takes a byte at least: a length beyond the frame is a lie.
        if depth >= DEEPEST || length > self.bytes.len() {
            return Err(Odd);
        }
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.any(interner, depth + 1)?);
        }
        Ok(interner.tuple(&items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_come_back() {
        for value in [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 32, i64::MAX, -1, -32, -33]
            .into_iter()
            .chain([-128, -129, -32768, -32769, -(1 << 31), -(1 << 31) - 1, i64::MIN])
        {
            let mut bytes = Vec::new();
            put_int(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.int().ok(), Some(value));
            assert!(reader.at_end());
        }
    }

    #[test]
    fn garbage_is_odd_and_never_more() {
        let mut interner = Interner::default();
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..(state % 40) {
                state = crate::values::mix(state);
                bytes.push(state as u8);
            }
            state = crate::values::mix(state);
            let mut reader = Reader::new(&bytes);
            while reader.value(&mut interner, &Type::Any).is_ok() && !reader.at_end() {}
        }
    }
}
