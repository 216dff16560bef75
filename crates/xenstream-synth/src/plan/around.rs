//! What is around a libxc stream, and libxl's own records.

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::Format;
use xenstream_core::wire::libxl::types::{EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA, END};
use xenstream_core::wire::libxl::{EMULATOR_ID_MAX, EMULATOR_TRADITIONAL};
use xenstream_core::wire::qemu;
use xenstream_core::wire::xenopsd::types::{END_OF_IMAGE, QEMU_TRAD, SWTPM, VARSTORED};
use xenstream_core::wire::xl::FLAG_STREAM_V2;

use super::few;
use crate::body::Body;
use crate::container::{Container, XL_FLAGS, xenopsd_record, xl_data, xl_header};
use crate::item::{Item, Part};
use crate::libxl::{QEMU, emulator, qemu_state};
use crate::stream::Stream;

/// What is around the libxc stream, and what that holds. What belongs to another container says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The container.
    pub container: Container,
    /// The header of xl.
    pub xl: XlHeader,
    /// Letters in the name of the guest in the XML of libvirt.
    pub libvirt: u8,
    /// What xenopsd has after the memory.
    pub xenopsd: XenopsdBlobs,
}

impl From<Container> for Around {
    fn from(container: Container) -> Around {
        Around { container, ..Around::default() }
    }
}

impl<'a> Arbitrary<'a> for Around {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Around> {
        let mut around = Around::from(Container::arbitrary(u)?);
        match around.container {
            Container::Libxc | Container::Libxl => {}
            Container::Xl => around.xl = XlHeader::arbitrary(u)?,
            Container::Libvirt => around.libvirt = u8::arbitrary(u)?,
            Container::Xenopsd => around.xenopsd = XenopsdBlobs::arbitrary(u)?,
        }
        Ok(around)
    }
}

/// The header of `xl save`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct XlHeader {
    /// The configuration.
    pub config: XlConfig,
    /// Bytes of optional data after it, which readers skip.
    pub tail: u8,
}

/// The configuration in an xl header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XlConfig {
    /// JSON, of a guest with a name of this length.
    Json(u8),
    /// xl's own text, which Xen 4.4 and older wrote.
    Text,
    /// None, and no optional data either.
    Missing,
}

impl Default for XlConfig {
    fn default() -> XlConfig {
        XlConfig::Json(0)
    }
}

impl<'a> Arbitrary<'a> for XlConfig {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<XlConfig> {
        // Profiles differ about the others.
        Ok(match u8::arbitrary(u)? {
            0xF0..=0xF7 => XlConfig::Text,
            0xF8..=0xFF => XlConfig::Missing,
            name => XlConfig::Json(name),
        })
    }
}

/// Sizes of the blobs after the memory in an image of xenopsd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct XenopsdBlobs {
    /// UEFI variables.
    pub varstored: Option<u8>,
    /// The state of a TPM.
    pub swtpm: Option<u8>,
    /// The state of the device model, beyond the least that it takes.
    pub qemu: Option<u8>,
}

/// A device model's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct DeviceModel {
    /// What it has in xenstore; no EMULATOR_XENSTORE_DATA without any.
    #[arbitrary(with = few::<3, Pair>)]
    pub xenstore: Vec<Pair>,
    /// Bytes of its state, of QEMU upstream beyond the least that it takes.
    pub state: u16,
    /// Which device model, 0 to 2.
    pub emulator_id: u8,
}

/// A key of xenstore and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Pair {
    /// The key: bytes folded into characters that a key may have.
    #[arbitrary(with = few::<6, u8>)]
    pub key: Vec<u8>,
    /// The value: bytes folded into ASCII that can be printed.
    #[arbitrary(with = few::<6, u8>)]
    pub value: Vec<u8>,
}

impl Around {
    /// This around a bare libxc stream. The records of the device model come before libxl's END.
    pub(super) fn wrap(&self, libxc: Stream, device_model: Option<Vec<Item>>) -> Stream {
        let libxl =
            |libxc: Stream| device_model.into_iter().flatten().fold(libxc.in_libxl(), Stream::before_last);
        match self.container {
            Container::Libxc => libxc,
            Container::Xenopsd => self.xenopsd.appended_to(libxc.in_xenopsd()),
            Container::Libxl => libxl(libxc),
            Container::Xl => self.xl.before(libxl(libxc)),
            Container::Libvirt => {
                let name = name(self.libvirt);
                let xml = format!("<domain type='xen'><name>{name}</name></domain>\0");
                libxl(libxc).in_libvirt_with(xml.as_bytes())
            }
        }
    }
}

impl Stream {
    /// With an item before the last one, which is libxl's END.
    fn before_last(self, item: Item) -> Stream {
        let last = self.items().len() - 1;
        debug_assert_eq!(self.items()[last].part(), Part::libxl(END));
        self.inserted(last, item)
    }
}

impl XlHeader {
    fn before(self, libxl: Stream) -> Stream {
        let data = match self.config {
            XlConfig::Missing => return libxl.in_xl_without_config(),
            XlConfig::Json(name) => {
                xl_data(format!("{{\"c_info\": {{\"name\": \"{}\"}}}}\0", self::name(name)).as_bytes())
            }
            XlConfig::Text => xl_data(b"name = 'guest'\n\0"),
        };
        let flags = match self.config {
            XlConfig::Text => FLAG_STREAM_V2,
            XlConfig::Json(_) | XlConfig::Missing => XL_FLAGS,
        };
        let length = u32::try_from(data.size()).expect("a name of 255 letters") + u32::from(self.tail);
        let tail = (self.tail > 0)
            .then(|| Item::new(Part::Loose, Body::new().raw(vec![b'-'; usize::from(self.tail)])));
        let before = [xl_header(flags, length), data].into_iter().chain(tail);
        libxl.wrapped(Format::Xl, before, [])
    }
}

impl XenopsdBlobs {
    fn appended_to(self, image: Stream) -> Stream {
        let blobs = [(VARSTORED, self.varstored), (SWTPM, self.swtpm), (QEMU_TRAD, self.qemu)];
        blobs.into_iter().filter_map(|(kind, size)| Some((kind, size?))).fold(image, |image, (kind, size)| {
            let blob = match kind {
                QEMU_TRAD => qemu_state(qemu::MIN + u64::from(size)),
                _ => Body::new().zeros(u64::from(size)),
            };
            image.before(Part::xenopsd(END_OF_IMAGE), xenopsd_record(kind, blob))
        })
    }
}

impl DeviceModel {
    /// Its records.
    pub(super) fn records(&self) -> Vec<Item> {
        // All that are known but qemu-traditional, of which every profile warns.
        let id = match u32::from(self.emulator_id) % (EMULATOR_ID_MAX + 1) {
            EMULATOR_TRADITIONAL => EMULATOR_ID_MAX,
            id => id,
        };
        let pairs: Vec<u8> = self.xenstore.iter().flat_map(Pair::bytes).collect();
        let mut records = Vec::new();
        if !pairs.is_empty() {
            records.push(emulator(EMULATOR_XENSTORE_DATA, id, Body::new().raw(pairs)));
        }
        let state = u64::from(self.state % 1024);
        let state = if id == QEMU { qemu_state(qemu::MIN + state) } else { Body::new().zeros(state) };
        records.push(emulator(EMULATOR_CONTEXT, id, state));
        records
    }
}

impl Pair {
    fn bytes(&self) -> Vec<u8> {
        const KEY: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@/";
        // A key starts with no `/`, the last of these.
        let first = self.key.first().map_or(b'k', |n| KEY[usize::from(*n) % (KEY.len() - 1)]);
        let rest = self.key.iter().skip(1).map(|n| KEY[usize::from(*n) % KEY.len()]);
        let value = self.value.iter().map(|n| b' ' + n % 95);
        [first].into_iter().chain(rest).chain([0]).chain(value).chain([0]).collect()
    }
}

/// A guest's name of this length.
fn name(length: u8) -> String {
    "guest".chars().cycle().take(usize::from(length)).collect()
}
