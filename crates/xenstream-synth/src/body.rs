//! Fields in a row: what headers and record bodies are made of, before anybody has said in which byte order.

use xenstream_core::wire::{Order, PAGE_SIZE};

/// One field, or a run of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// One byte.
    U8(u8),
    /// Two bytes, in the byte order of the layer.
    U16(u16),
    /// Four bytes, in the byte order of the layer.
    U32(u32),
    /// Eight bytes, in the byte order of the layer.
    U64(u64),
    /// A number of at most 8 bytes, as many as the first one says, in the byte order of the layer.
    Number(u32, u64),
    /// A run of 64-bit fields.
    U64s(Vec<u64>),
    /// Bytes that no byte order touches: text, blobs, and what is always little-endian.
    Bytes(Vec<u8>),
    /// This many zero bytes, which cost nothing until they are written.
    Zeros(u64),
}

impl Field {
    /// A 16-bit field that is little-endian in every stream, like those of HVM_CONTEXT.
    #[must_use]
    pub fn le16(value: u16) -> Field {
        Field::Bytes(value.to_le_bytes().to_vec())
    }

    /// A 32-bit field that is little-endian in every stream.
    #[must_use]
    pub fn le32(value: u32) -> Field {
        Field::Bytes(value.to_le_bytes().to_vec())
    }

    /// A 64-bit field that is little-endian in every stream.
    #[must_use]
    pub fn le64(value: u64) -> Field {
        Field::Bytes(value.to_le_bytes().to_vec())
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Field::U8(_) => 1,
            Field::U16(_) => 2,
            Field::U32(_) => 4,
            Field::U64(_) => 8,
            Field::Number(width, _) => u64::from(*width),
            Field::U64s(values) => 8 * values.len() as u64,
            Field::Bytes(bytes) => bytes.len() as u64,
            Field::Zeros(n) => *n,
        }
    }

    pub(crate) fn write(&self, order: Order, out: &mut Vec<u8>) {
        match self {
            Field::U8(value) => out.push(*value),
            Field::U16(value) => out.extend_from_slice(&order.put_u16(*value)),
            Field::U32(value) => out.extend_from_slice(&order.put_u32(*value)),
            Field::U64(value) => out.extend_from_slice(&order.put_u64(*value)),
            Field::Number(width, value) => {
                out.extend_from_slice(&order.put_number(*width, *value)[..*width as usize]);
            }
            Field::U64s(values) => {
                for value in values {
                    out.extend_from_slice(&order.put_u64(*value));
                }
            }
            Field::Bytes(bytes) => out.extend(bytes),
            Field::Zeros(n) => out.resize(out.len() + usize_of(*n), 0),
        }
    }
}

/// Fields in a row.
///
/// ```
/// use xenstream_core::wire::Order;
/// use xenstream_synth::Body;
///
/// let body = Body::new().u32(1).zeros(4).u64(0x1000);
/// assert_eq!(body.size(), 16);
/// assert_eq!(body.bytes(Order::Big)[..4], [0, 0, 0, 1]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(Vec<Field>);

impl Body {
    /// No fields yet.
    #[must_use]
    pub fn new() -> Body {
        Body::default()
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, field: Field) -> Body {
        match (self.0.last_mut(), field) {
            // Neighbouring pages of zeros become one run, so that a whole guest of them stays small.
            (Some(Field::Zeros(run)), Field::Zeros(n)) => *run += n,
            (_, field) => self.0.push(field),
        }
        self
    }

    /// With another body after it.
    #[must_use]
    pub fn and(self, body: Body) -> Body {
        body.0.into_iter().fold(self, Body::with)
    }

    /// With one byte.
    #[must_use]
    pub fn u8(self, value: u8) -> Body {
        self.with(Field::U8(value))
    }

    /// With a 16-bit field.
    #[must_use]
    pub fn u16(self, value: u16) -> Body {
        self.with(Field::U16(value))
    }

    /// With a 32-bit field.
    #[must_use]
    pub fn u32(self, value: u32) -> Body {
        self.with(Field::U32(value))
    }

    /// With a 64-bit field.
    #[must_use]
    pub fn u64(self, value: u64) -> Body {
        self.with(Field::U64(value))
    }

    /// With a run of 64-bit fields.
    #[must_use]
    pub fn u64s(self, values: impl IntoIterator<Item = u64>) -> Body {
        self.with(Field::U64s(values.into_iter().collect()))
    }

    /// With bytes as they are.
    #[must_use]
    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Body {
        self.with(Field::Bytes(bytes.into()))
    }

    /// With zero bytes.
    #[must_use]
    pub fn zeros(self, n: u64) -> Body {
        self.with(Field::Zeros(n))
    }

    /// With a page of guest memory, zero after the bytes given.
    ///
    /// # Panics
    /// The contents are longer than a page.
    #[must_use]
    pub fn page(self, contents: &[u8]) -> Body {
        let rest = PAGE_SIZE.checked_sub(contents.len() as u64).expect("a page holds 4096 bytes");
        let body = if contents.is_empty() { self } else { self.raw(contents) };
        body.zeros(rest)
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.iter().map(Field::size).sum()
    }

    /// The bytes, with the fields in this byte order.
    #[must_use]
    pub fn bytes(&self, order: Order) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize_of(self.size()));
        for field in &self.0 {
            field.write(order, &mut out);
        }
        out
    }

    pub(crate) fn into_fields(self) -> impl Iterator<Item = Field> {
        self.0.into_iter()
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.0
    }
}

/// A size in memory. Streams that do not fit the address space are written piece by piece instead.
pub(crate) fn usize_of(n: u64) -> usize {
    usize::try_from(n).expect("what is built in memory fits into it")
}
