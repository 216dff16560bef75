//! A stream under construction.

use std::io::{self, Seek, SeekFrom, Write};

use xenstream_core::wire::{Order, hvm, libxc, libxl};
use xenstream_core::{Format, Layer, Record, RecordRef};

use crate::body::{Field, usize_of};
use crate::item::{Item, Part};

/// A stream as a list of [items](Item): it knows where each of them lies, and any of them can be changed, moved or
/// left out.
///
/// ```
/// use xenstream_core::wire::libxc::types::HVM_PARAMS;
/// use xenstream_synth::{Field, Part, minimal};
///
/// let stream = minimal::hvm();
/// let params = stream.find(Part::libxc(HVM_PARAMS));
/// let offset = stream.offset(params) + 16;
/// let broken = stream.edited(Part::libxc(HVM_PARAMS), 16, Field::U64(39));
/// assert_eq!(broken.bytes()[offset as usize], 39);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    format: Format,
    items: Vec<Item>,
    container: Order,
    libxl: Order,
    libxc: Order,
    /// Where the input ends, if that is inside the stream.
    cut: Option<u64>,
}

impl Stream {
    /// A stream of these items, little-endian.
    #[must_use]
    pub fn new(format: Format, items: impl IntoIterator<Item = Item>) -> Stream {
        Stream {
            format,
            items: items.into_iter().collect(),
            container: Order::Little,
            libxl: Order::Little,
            libxc: Order::Little,
            cut: None,
        }
    }

    /// The format that the stream is meant to be in.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The items, in stream order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The whole stream, or as much of it as is [there](Stream::cut).
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(usize_of(self.offset(self.items.len())));
        for item in &self.items {
            item.write(self.order(item.part()), &mut bytes);
        }
        bytes.truncate(usize_of(self.size()));
        bytes
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let whole = self.offset(self.items.len());
        self.cut.map_or(whole, |cut| cut.min(whole))
    }

    /// Writes the stream without building it in memory.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        let mut rest = self.size();
        for item in &self.items {
            let mut bytes = item.bytes(self.order(item.part()));
            bytes.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
            rest -= bytes.len() as u64;
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Writes the stream and seeks over runs of zeros of a page and more, so that a file of a huge guest with empty
    /// memory takes next to no room. The writer must read as zeros where nothing was written.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn write_sparse(&self, mut out: impl Write + Seek) -> io::Result<()> {
        if self.cut.is_some() {
            // Rare, and small enough to be written byte by byte.
            return self.write_to(out);
        }
        let mut hole = 0;
        for item in &self.items {
            let order = self.order(item.part());
            // Edits may lie anywhere, holes included.
            let fields = if item.is_edited() {
                vec![Field::Bytes(item.bytes(order))]
            } else {
                item.fields().collect()
            };
            for field in fields {
                match field {
                    Field::Zeros(n) => hole += n,
                    field => {
                        let mut bytes = Vec::with_capacity(usize_of(field.size()));
                        field.write(order, &mut bytes);
                        pass(&mut out, &mut hole, false)?;
                        out.write_all(&bytes)?;
                    }
                }
            }
        }
        pass(&mut out, &mut hole, true)
    }

    /// Index of the first item of this kind.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn find(&self, part: Part) -> usize {
        self.nth(part, 0)
    }

    /// Index of the item of this kind that has `n` like it before it.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn nth(&self, part: Part, n: usize) -> usize {
        let mut all = self.items.iter().enumerate().filter(|(_, item)| item.part() == part);
        match all.nth(n) {
            Some((index, _)) => index,
            None => panic!("the stream has no {part:?} number {n}"),
        }
    }

    /// Absolute offset of an item's first byte; of the stream's end for the index after the last one.
    #[must_use]
    pub fn offset(&self, index: usize) -> u64 {
        self.items[..index].iter().map(Item::size).sum()
    }

    /// The record that an item is, as violations name it.
    #[must_use]
    pub fn record(&self, index: usize) -> Option<RecordRef> {
        let (layer, kind) = self.items[index].part().record()?;
        let before = self.items[..index].iter().filter_map(|item| item.part().record());
        Some(RecordRef {
            layer,
            index: before.filter(|(other, _)| *other == layer).count() as u64,
            kind: Some(kind),
            offset: self.offset(index),
        })
    }

    /// The record that a reader is in where the stream is [cut](Stream::cut); `None` inside a header that is no record.
    #[must_use]
    pub fn torn_record(&self) -> Option<RecordRef> {
        let end = self.size();
        let mut offset = 0;
        let index = self.items.iter().position(|item| {
            let start = offset;
            offset += item.size();
            (start..offset).contains(&end)
        })?;
        let record = self.record(index)?;
        let whole = end >= record.offset + self.items[index].body_at();
        // As long as its header is not whole, nothing is known of it.
        Some(RecordRef { kind: record.kind.filter(|_| whole), ..record })
    }

    /// Every record, entries of HVM_CONTEXT's chain included, in the order in which a reader meets them. In a stream
    /// that is [cut](Stream::cut), only those whose headers are whole.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut counts = vec![0; Layer::all().len()];
        let mut offset = 0;
        for item in &self.items {
            if let Some((layer, kind)) = item.part().record() {
                let index = counts[layer as usize];
                counts[layer as usize] += 1;
                let body_offset = offset + item.body_at();
                let body_length = item.length();
                let mut record = Record::new(layer, kind, offset, body_offset, body_length);
                record.index = index;
                records.push(record);
                records
                    .extend((0..).zip(item.entries()).map(|(index, entry)| entry.record(index, body_offset)));
            }
            offset += item.size();
        }
        if let Some(cut) = self.cut {
            records.retain(|record| record.body_offset <= cut);
        }
        records
    }

    /// With an item at the end.
    #[must_use]
    pub fn with(mut self, item: Item) -> Stream {
        self.items.push(item);
        self
    }

    /// With an item at this index.
    #[must_use]
    pub fn inserted(mut self, index: usize, item: Item) -> Stream {
        self.items.insert(index, item);
        self
    }

    /// With an item before the first one of a kind.
    #[must_use]
    #[track_caller]
    pub fn before(self, part: Part, item: Item) -> Stream {
        let index = self.find(part);
        self.inserted(index, item)
    }

    /// With an item after the first one of a kind.
    #[must_use]
    #[track_caller]
    pub fn after(self, part: Part, item: Item) -> Stream {
        let index = self.find(part);
        self.inserted(index + 1, item)
    }

    /// With another item in place of the first one of a kind.
    #[must_use]
    #[track_caller]
    pub fn replaced(mut self, part: Part, item: Item) -> Stream {
        let index = self.find(part);
        self.items[index] = item;
        self
    }

    /// Without the first item of a kind.
    #[must_use]
    #[track_caller]
    pub fn without(mut self, part: Part) -> Stream {
        let index = self.find(part);
        self.items.remove(index);
        self
    }

    /// With another item in place of the one at this index.
    #[must_use]
    pub fn with_item(mut self, index: usize, item: Item) -> Stream {
        self.items[index] = item;
        self
    }

    /// With these items for all it had.
    #[must_use]
    pub fn of_items(mut self, items: impl IntoIterator<Item = Item>) -> Stream {
        self.items = items.into_iter().collect();
        self
    }

    /// With a field of the first item of a kind overwritten, `at` bytes from its first one.
    #[must_use]
    #[track_caller]
    pub fn edited(mut self, part: Part, at: u64, field: Field) -> Stream {
        let index = self.find(part);
        self.items[index].edit(at, field);
        self
    }

    /// The items before the first one of a kind only.
    #[must_use]
    #[track_caller]
    pub fn until(mut self, part: Part) -> Stream {
        let index = self.find(part);
        self.items.truncate(index);
        self
    }

    /// Only the first bytes of it, as when the input ends too early. Items and offsets stay what they are.
    #[must_use]
    pub fn cut(mut self, bytes: u64) -> Stream {
        self.cut = Some(bytes);
        self
    }

    /// With other items before and after, as another format.
    #[must_use]
    pub fn wrapped(
        mut self,
        format: Format,
        before: impl IntoIterator<Item = Item>,
        after: impl IntoIterator<Item = Item>,
    ) -> Stream {
        self.items.splice(..0, before);
        self.items.extend(after);
        self.format = format;
        self
    }

    /// With the xl or libvirt header in this byte order.
    #[must_use]
    pub fn with_container_order(mut self, order: Order) -> Stream {
        self.container = order;
        self
    }

    /// With the records of libxl and libxc in this byte order, and the headers saying so.
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Stream {
        if self.has(Part::Libxl) {
            self = self.with_libxl_order(order);
        }
        if self.has(Part::Image) { self.with_libxc_order(order) } else { self }
    }

    /// With the records of libxl in this byte order, and the header saying so.
    #[must_use]
    pub fn with_libxl_order(mut self, order: Order) -> Stream {
        self.libxl = order;
        let options = if order == Order::Big { libxl::OPTION_BIG_ENDIAN } else { 0 };
        self.edited(Part::Libxl, libxl::at::OPTIONS, Field::U32(options))
    }

    /// With the domain header and records of libxc in this byte order, and the image header saying so.
    #[must_use]
    pub fn with_libxc_order(mut self, order: Order) -> Stream {
        self.libxc = order;
        let options = if order == Order::Big { libxc::OPTION_BIG_ENDIAN } else { 0 };
        self.edited(Part::Image, libxc::image_at::OPTIONS, Field::U16(options))
    }

    /// As a version 2 libxc stream, which has no static data: without STATIC_DATA_END and the policies.
    #[must_use]
    pub fn as_version_2(mut self) -> Stream {
        const STATIC: [Part; 3] = [
            Part::libxc(libxc::types::STATIC_DATA_END),
            Part::libxc(libxc::types::X86_CPUID_POLICY),
            Part::libxc(libxc::types::X86_MSR_POLICY),
        ];
        self.items.retain(|item| !STATIC.contains(&item.part()));
        self.edited(Part::Image, libxc::image_at::VERSION, Field::U32(libxc::VERSION_MIN))
    }

    /// Whether a HVM_CONTEXT in it has a device that a PVH guest has not.
    #[must_use]
    pub fn has_devices(&self) -> bool {
        let mut entries = self.items.iter().flat_map(Item::entries);
        entries.any(|entry| hvm::DEVICES.contains(&entry.typecode))
    }

    /// Returns whether the stream has an item of this kind.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        self.items.iter().any(|item| item.part() == part)
    }

    /// The byte order of the fields of this kind of item.
    #[must_use]
    pub fn order(&self, part: Part) -> Order {
        match part {
            Part::Xl | Part::XlData | Part::Libvirt | Part::LibvirtXml => self.container,
            Part::Libxl | Part::Image => Order::Big,
            Part::Record(Layer::Libxl, _) => self.libxl,
            Part::Domain | Part::Record(Layer::Libxc, _) => self.libxc,
            Part::Xenopsd | Part::Record(..) | Part::Loose => Order::Little,
        }
    }
}

/// Gets over a run of zeros: by seeking if it is worth it and something follows, else by writing them.
fn pass(out: &mut (impl Write + Seek), hole: &mut u64, at_end: bool) -> io::Result<()> {
    const WORTH_A_SEEK: u64 = 4096;
    let mut rest = std::mem::take(hole);
    if rest >= WORTH_A_SEEK {
        // The last byte of a file must be written for the file to have its length.
        let skipped = if at_end { rest - 1 } else { rest };
        out.seek(SeekFrom::Current(i64::try_from(skipped).map_err(io::Error::other)?))?;
        rest -= skipped;
    }
    io::copy(&mut io::Read::take(io::repeat(0), rest), out)?;
    Ok(())
}
