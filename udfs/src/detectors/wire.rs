//! Reading little-endian bytes that may be anything.

use thiserror::Error;

/// Why bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// Fewer bytes than announced.
    #[error("it ends too early")]
    Truncated,
    /// More bytes than announced.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    /// A value that no writer writes.
    #[error("{0}")]
    Invalid(&'static str),
}

/// A cursor over bytes. Reads what is there and allocates nothing.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn f32(&mut self) -> Result<f32, WireError> {
        self.array().map(f32::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, WireError> {
        self.array().map(f64::from_le_bytes)
    }

    /// A number that is neither NaN nor infinite, and no negative zero: they have one encoding.
    pub(super) fn finite(&mut self) -> Result<f64, WireError> {
        let value = self.f64()?;
        match value.is_finite() && value.to_bits() != (-0.0_f64).to_bits() {
            true => Ok(value),
            false => Err(WireError::Invalid("a number of it is none")),
        }
    }

    /// `count` numbers. Never allocates more than the bytes that are there.
    pub(super) fn numbers(&mut self, count: usize) -> Result<Vec<f64>, WireError> {
        let mut numbers = vec![];
        for _ in 0..count {
            numbers.push(self.finite()?);
        }
        Ok(numbers)
    }

    /// `count` numbers, none of them further than `most` from 0.
    pub(super) fn numbers_within(
        &mut self,
        count: usize,
        most: f64,
    ) -> Result<Vec<f64>, WireError> {
        let numbers = self.numbers(count)?;
        match numbers.iter().all(|number| number.abs() <= most) {
            true => Ok(numbers),
            false => Err(WireError::Invalid("a number of it is too large")),
        }
    }

    /// UTF-8 behind its length (u32).
    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.block()?).map_err(|_| WireError::Invalid("a text is not UTF-8"))
    }

    /// Bytes behind their length (u32).
    pub(super) fn block(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.u32()?;
        self.bytes(usize::try_from(len).map_err(|_| WireError::Truncated)?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Says that nothing may be left.
    pub(super) fn finish(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(WireError::Trailing(left)),
        }
    }
}

/// Writes bytes behind their length (u32).
pub(super) fn put_block(out: &mut Vec<u8>, block: &[u8]) {
    // Names, keys and headers; the callers' limits keep them far below 4 GiB.
    let len = u32::try_from(block.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(block);
}

/// Writes numbers, as [`Reader::numbers`] reads them.
pub(super) fn put_numbers<'a>(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = &'a f64>) {
    for number in numbers {
        // Adding zero turns -0.0 into 0.0.
        out.extend_from_slice(&(number + 0.0).to_le_bytes());
    }
}
