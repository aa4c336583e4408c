//! Avro's numbers and lengths in memory, and what is counted while a row is read.
//!
//! Invariant: nothing is taken beyond the bytes that are there, and no row is made to more than [`BYTES_MAX`]
//! bytes of columns, nor a block to more than [`IDLE_MAX`] values that take no bytes at all.

/// The most bytes that a block unpacks to, and the most that one of its rows takes in columns.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// The most values of a block that take no bytes: rows without columns, nulls in a list of nulls.
pub(super) const IDLE_MAX: usize = 1 << 20;

/// The most bytes of a number.
const NUMBER_BYTES_MAX: usize = 10;

/// Why a value was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes contradict themselves, the schema, or a limit.
    Damaged(String),
    /// They are right, and the column's type has no such value.
    Unheld(String),
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

pub(super) fn damaged<T>(why: impl Into<String>) -> Result<T> {
    Err(Fault::Damaged(why.into()))
}

/// A number as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) value: i64,
    /// Whether it takes a byte more than it needs.
    pub(super) padded: bool,
}

/// The number that `next` gives the bytes of; none where it has more than 64 bits.
pub(super) fn number<E>(
    mut next: impl FnMut() -> std::result::Result<u8, E>,
) -> std::result::Result<Option<Number>, E> {
    let mut bits = 0_u64;
    for at in 0..NUMBER_BYTES_MAX {
        let byte = next()?;
        bits |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let fits = at + 1 < NUMBER_BYTES_MAX || byte <= 1;
            return Ok(fits.then_some(Number {
                value: (bits >> 1) as i64 ^ -((bits & 1) as i64),
                padded: at > 0 && byte == 0,
            }));
        }
    }
    Ok(None)
}

/// Appends a number, as short as it can be.
pub(super) fn put_number(value: i64, out: &mut Vec<u8>) {
    let mut bits = (value << 1 ^ value >> 63) as u64;
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// Reads the values of one block.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// What the row may still take, in bytes of columns.
    room: usize,
    /// How many values without bytes may still come.
    idle: usize,
}

impl<'a> Cursor<'a> {
    /// Of these bytes, with so many values without bytes: [`IDLE_MAX`] where the block begins.
    pub(super) fn new(bytes: &'a [u8], idle: usize) -> Self {
        Self {
            rest: bytes,
            room: BYTES_MAX,
            idle,
        }
    }

    /// How many values without bytes may still come.
    pub(super) fn idle(&self) -> usize {
        self.idle
    }

    /// The bytes that were not taken yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads one row, and says how many bytes of columns it takes.
    pub(super) fn row(&mut self, read: impl FnOnce(&mut Self) -> Result<()>) -> Result<usize> {
        self.room = BYTES_MAX;
        self.value(read)?;
        Ok(BYTES_MAX - self.room)
    }

    /// Counts what a value takes in its column.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => damaged(format!("a row takes more than {BYTES_MAX} bytes")),
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => damaged("a value goes beyond the end of the block"),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .or_else(|_| damaged("a value goes beyond the end of the block"))
    }

    pub(super) fn long(&mut self) -> Result<i64> {
        match number(|| self.array().map(|[byte]| byte))? {
            Some(number) => Ok(number.value),
            None => damaged("a number has more than 64 bits"),
        }
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => damaged(format!("a value has the length {length}")),
        }
    }

    /// Text with its length before it.
    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).or_else(|_| damaged("a string is not UTF-8"))
    }

    /// Reads the items of an array or a map with `item`, and says how many there were.
    pub(super) fn items(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<usize> {
        let mut total = 0;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(total);
            }
            // A negative count has the length of its items behind it.
            let end = if count < 0 {
                let length = self.long()?;
                let length = usize::try_from(length).ok();
                match length.and_then(|length| self.left().checked_sub(length)) {
                    Some(end) => Some(end),
                    None => return damaged("the items of a list go beyond the end of the block"),
                }
            } else {
                None
            };
            for _ in 0..count.unsigned_abs() {
                self.value(&mut item)?;
                total += 1;
            }
            if end.is_some_and(|end| end != self.left()) {
                return damaged("the items of a list are not as long as it says");
            }
        }
    }

    /// Reads a value, of those without bytes only so many.
    fn value(&mut self, read: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let before = self.left();
        read(self)?;
        if self.left() == before {
            match self.idle.checked_sub(1) {
                Some(idle) => self.idle = idle,
                None => {
                    return damaged(format!("it has more than {IDLE_MAX} values without bytes"));
                }
            }
        }
        Ok(())
    }
}
