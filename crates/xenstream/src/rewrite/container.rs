//! Puts a guest into the container of another toolstack.

use std::ops::Range;

use xenstream_core::wire::libxc::types;
use xenstream_core::wire::types::{Data, RecordType, Topic};
use xenstream_core::wire::{Order, libvirt, libxl, xenopsd, xl};
use xenstream_core::{Format, Layer};

use crate::Error;
use crate::rewrite::document::{Document, Part, Piece, padding, record_header};
use crate::rewrite::log::{Log, Loss};

/// Longest configuration: what a verifier takes.
const CONFIG_MAX: usize = 16 << 20;

/// A container: what a toolstack writes around the state of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Container {
    /// What `xl save` writes. Its configuration is libxl's JSON, or the text of a configuration file.
    Xl,
    /// What libvirt's libxl driver writes. Its configuration is the XML of the domain.
    Libvirt,
    /// A libxl stream, without a configuration.
    Libxl,
    /// A bare libxc stream, without a configuration or a device model.
    Libxc,
    /// A suspend image of xenopsd. Its configuration is the metadata, an s-expression.
    Xenopsd,
}

impl Container {
    /// Returns every container.
    pub fn all() -> impl DoubleEndedIterator<Item = Container> + ExactSizeIterator + Clone {
        [Container::Xl, Container::Libvirt, Container::Libxl, Container::Libxc, Container::Xenopsd]
            .into_iter()
    }

    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Container::Xl => "xl",
            Container::Libvirt => "libvirt",
            Container::Libxl => "libxl",
            Container::Libxc => "libxc",
            Container::Xenopsd => "xenopsd",
        }
    }

    /// The format of what is in it.
    pub(super) fn format(self) -> Format {
        match self {
            Container::Xl => Format::Xl,
            Container::Libvirt => Format::Libvirt,
            Container::Libxl => Format::Libxl,
            Container::Libxc => Format::Libxc,
            Container::Xenopsd => Format::Xenopsd,
        }
    }

    /// The layer that is outermost in it.
    fn layer(self) -> Layer {
        match self {
            Container::Xl => Layer::Xl,
            Container::Libvirt => Layer::Libvirt,
            Container::Libxl => Layer::Libxl,
            Container::Libxc => Layer::Libxc,
            Container::Xenopsd => Layer::Xenopsd,
        }
    }

    /// Whether the state of the guest is a libxl stream in it.
    fn is_libxl(self) -> bool {
        matches!(self, Container::Xl | Container::Libvirt | Container::Libxl)
    }

    /// Whether it has a configuration.
    fn has_config(self) -> bool {
        matches!(self, Container::Xl | Container::Libvirt | Container::Xenopsd)
    }

    fn of(document: &Document<'_>) -> Option<Container> {
        let outermost = document.pieces.first()?.part;
        Container::all().find(|container| outermost == Part::Header(container.layer()))
    }
}

/// Puts the guest into a container, with this configuration.
pub(super) fn contain(
    document: &mut Document<'_>,
    to: Container,
    config: Option<&[u8]>,
    log: &mut Log,
) -> Result<(), Error> {
    let Some(from) = Container::of(document) else {
        log.obstacle(0, "stream", "it has no header", None);
        return Ok(());
    };
    if from == to && config.is_none() {
        return Ok(());
    }
    if let Some(reason) = reason_against(document, from, to, config) {
        log.obstacle(0, "stream", reason, None);
        return Ok(());
    }
    let pieces = std::mem::take(&mut document.pieces);
    let mut parts = Parts::of(pieces);
    if from.is_libxl() && to.is_libxl() || from == to {
        replace_header(&mut parts, from, to, config.unwrap_or_default(), log);
        document.pieces = parts.all;
        return Ok(());
    }
    log.change(0, "stream", "container", from.name(), to.name());
    note_config(&parts, from, log);
    let model = device_model(document, &parts, to, log)?;
    document.pieces = match to {
        Container::Libxc => parts.libxc,
        Container::Xenopsd => {
            let config = typed(xenopsd::types::XENOPS, config.unwrap_or_default());
            let around = [header(to, &[]), config, typed(xenopsd::types::LIBXC, &[])];
            let end = typed(xenopsd::types::END_OF_IMAGE, &[]);
            around.into_iter().chain(parts.libxc).chain(model).chain([end]).collect()
        }
        Container::Xl | Container::Libvirt | Container::Libxl => {
            let outer = (to != Container::Libxl).then(|| header(to, config.unwrap_or_default()));
            let record = |kind| Piece::record(Part::libxl(kind), document.libxl, &[]);
            outer
                .into_iter()
                .chain([libxl_header(document.libxl), record(libxl::types::LIBXC_CONTEXT)])
                .chain(parts.libxc)
                .chain(model)
                .chain([record(libxl::types::END)])
                .collect()
        }
    };
    Ok(())
}

/// Why the guest cannot be put into this container, if it cannot.
fn reason_against(
    document: &Document<'_>,
    from: Container,
    to: Container,
    config: Option<&[u8]>,
) -> Option<String> {
    if to.has_config() && config.is_none() {
        let what = match to {
            Container::Libvirt => "the XML of the domain",
            Container::Xenopsd => "the metadata of the machine, an s-expression",
            _ => "the configuration of the domain, libxl's JSON or the text of a configuration file",
        };
        return Some(format!("a container of {} needs {what}: give it with --config", to.name()));
    }
    if !to.has_config() && config.is_some() {
        return Some(format!("a container of {} has no room for a configuration", to.name()));
    }
    if config.is_some_and(|config| config.len() > CONFIG_MAX) {
        return Some("the configuration is longer than 16 MiB".into());
    }
    let swaps = from.is_libxl() && to.is_libxl() || from == to;
    if !swaps && document.find(types::CHECKPOINT).is_some() {
        return Some("it has checkpoints; --plain turns it into an ordinary stream".into());
    }
    if !swaps && !document.ended {
        return Some("the stream is incomplete".into());
    }
    None
}

/// The pieces of a stream, apart.
struct Parts {
    /// All of them, in order.
    all: Vec<Piece>,
    /// Those of the libxc stream.
    libxc: Vec<Piece>,
    /// Those of the device model and other programs.
    others: Vec<Piece>,
    /// Offset of the first, and bytes, of the configuration.
    config: Option<Range<u64>>,
}

impl Parts {
    fn of(pieces: Vec<Piece>) -> Parts {
        let is_libxc = |piece: &&Piece| piece.part.layer() == Layer::Libxc;
        let is_other =
            |piece: &&Piece| piece.part.record_type().is_some_and(|known| known.topic == Topic::Devices);
        let config = pieces.iter().find(|piece| is_config(piece.part));
        Parts {
            libxc: pieces.iter().filter(is_libxc).cloned().collect(),
            others: pieces.iter().filter(is_other).cloned().collect(),
            config: config.map(|piece| piece.body.clone()),
            all: pieces,
        }
    }
}

/// Whether a part holds the configuration.
fn is_config(part: Part) -> bool {
    matches!(part, Part::Header(Layer::Xl | Layer::Libvirt))
        || part.record_type().is_some_and(|known| known.data == Data::Text)
}

/// Changes the header in front of a libxl stream, or the configuration.
fn replace_header(parts: &mut Parts, from: Container, to: Container, config: &[u8], log: &mut Log) {
    if from == to {
        log.change(0, parts.all[0].part.name(), "configuration", "the input's", "another");
    } else {
        log.change(0, "stream", "container", from.name(), to.name());
        note_config(parts, from, log);
    }
    match to {
        Container::Xenopsd => {
            if let Some(at) = parts.all.iter().position(|piece| is_config(piece.part)) {
                parts.all[at] = typed(xenopsd::types::XENOPS, config);
            }
        }
        Container::Libxc => {}
        Container::Xl | Container::Libvirt | Container::Libxl => {
            parts.all.retain(|piece| !is_config(piece.part));
            if to != Container::Libxl {
                parts.all.insert(0, header(to, config));
            }
        }
    }
}

/// The configuration does not come along: it is in another language, or there is no room for it.
fn note_config(parts: &Parts, from: Container, log: &mut Log) {
    if let Some(config) = &parts.config {
        let bytes = config.end - config.start;
        let place = format!("configuration of {}", from.name());
        log.change(config.start, place, "text", format!("{bytes} bytes"), "not carried over");
    }
}

/// What becomes of the device model, and of what else the container has beside it.
fn device_model(
    document: &Document<'_>,
    parts: &Parts,
    to: Container,
    log: &mut Log,
) -> Result<Vec<Piece>, Error> {
    let mut model = Vec::new();
    for piece in &parts.others {
        let Some(known) = piece.part.record_type() else { continue };
        let (loss, what) = match (known.data, known.number) {
            (Data::Xenstore, _) => (Loss::Xenstore, "keys of the device model in xenstore"),
            (Data::Opaque, xenopsd::types::VARSTORED) => (Loss::UefiVariables, known.meaning),
            (Data::Opaque, xenopsd::types::SWTPM | xenopsd::types::SWTPM0) => (Loss::Tpm, "state of the TPM"),
            _ if to != Container::Libxc => {
                match moved(document, piece, known, to)? {
                    Some(pieces) => model.extend(pieces),
                    None => {
                        let reason = "the device model is not upstream QEMU, the only one that the new container supports";
                        log.obstacle(piece.range.start, known.name, reason, None);
                    }
                }
                continue;
            }
            _ => (Loss::DeviceModel, known.meaning),
        };
        let bytes = format!("{} bytes", piece.body.end - piece.body.start);
        // Where it may not be dropped, that is in the way.
        let _dropped = log.lossy(loss, piece.range.start, known.name, what, bytes, "absent");
    }
    Ok(model)
}

/// The state of QEMU in the other container; `None` if it is another program's.
fn moved(
    document: &Document<'_>,
    piece: &Piece,
    known: &RecordType,
    to: Container,
) -> Result<Option<Vec<Piece>>, Error> {
    const QEMU: &[u8] = b"QEVM";
    let header: u64 = known.body.iter().map(|layout| layout.size()).sum();
    let blob = piece.body.start + header..piece.body.end;
    if piece.new.is_some() || blob.is_empty() || document.read(blob.start..blob.start + 4)? != QEMU {
        return Ok(None);
    }
    let (part, order, ids) = match to {
        Container::Xenopsd => (typed_part(xenopsd::types::QEMU_TRAD), Order::Little, Vec::new()),
        _ => {
            let ids = [libxl::EMULATOR_QEMU, 0].map(|word| document.libxl.put_u32(word)).concat();
            (Part::libxl(libxl::types::EMULATOR_CONTEXT), document.libxl, ids)
        }
    };
    let length = ids.len() as u64 + (blob.end - blob.start);
    let head = [record_header(part, order, length), ids].concat();
    let pad = vec![0; padding(part.layer(), length) as usize];
    let state = Piece { part: piece.part, range: blob.clone(), body: blob, records: 1, new: None, pad: 0 };
    Ok(Some(vec![Piece::made(part, head), state, Piece::made(part, pad)]))
}

/// A record of a suspend image.
fn typed_part(kind: u64) -> Part {
    Part::Record(Layer::Xenopsd, u32::try_from(kind).unwrap_or(u32::MAX))
}

fn typed(kind: u64, body: &[u8]) -> Piece {
    Piece::record(typed_part(kind), Order::Little, body)
}

fn libxl_header(order: Order) -> Piece {
    let options = if order == Order::Big { libxl::OPTION_BIG_ENDIAN } else { 0 };
    let words = [libxl::VERSION, options].map(u32::to_be_bytes).concat();
    Piece::made(Part::Header(Layer::Libxl), [&libxl::IDENT[..], &words].concat())
}

/// The header of a container, with the configuration.
fn header(to: Container, config: &[u8]) -> Piece {
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    match to {
        Container::Xl => {
            let is_json = config.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
            let config = terminated(config);
            let flags = xl::FLAG_STREAM_V2 | if is_json { xl::FLAG_JSON } else { 0 };
            let words = [xl::BYTEORDER, flags, 0].map(u32::to_le_bytes).concat();
            let bytes =
                [&xl::MAGIC[..], &words, &length(config.len() + 4), &length(config.len()), &config].concat();
            Piece::made(Part::Header(Layer::Xl), bytes)
        }
        Container::Libvirt => {
            let xml = terminated(config);
            let unused = [0; 4 * libvirt::UNUSED_WORDS as usize];
            let version = libvirt::VERSION.to_le_bytes();
            Piece::made(
                Part::Header(Layer::Libvirt),
                [&libvirt::MAGIC[..], &version, &length(xml.len()), &unused, &xml].concat(),
            )
        }
        Container::Xenopsd => Piece::made(Part::Header(Layer::Xenopsd), [&xenopsd::SIGNATURE[..]].concat()),
        Container::Libxl | Container::Libxc => Piece::made(Part::Header(Layer::Libxl), Vec::new()),
    }
}

/// The text with the NUL that ends it.
fn terminated(text: &[u8]) -> Vec<u8> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    [text, b"\0"].concat()
}
