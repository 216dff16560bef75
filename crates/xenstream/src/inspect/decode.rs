//! From the bytes of a body to what they say. Bodies may lie, and may be cut off anywhere.

use xenstream_core::wire::layout::{Field, Group, Layout, Repeat, Show};
use xenstream_core::wire::libxc::{p2m, pte, types, vcpu};
use xenstream_core::wire::libxl::{EMULATOR_HEADER, types as libxl};
use xenstream_core::wire::{Order, hvm, qemu, structures};
use xenstream_core::{Layer, Record};

use crate::config;
use crate::inspect::Text;
use crate::inspect::content::{Content, Datum, LISTED, Value, Values};

/// Bytes of a body that are kept to be decoded.
const KEPT: usize = 16 << 10;
/// Bytes of a configuration that are.
const CONFIGURATION_KEPT: usize = 1 << 20;

/// The start of a body, as far as it has passed.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    start: Vec<u8>,
    nuls: u64,
}

impl Body {
    /// These bytes of the record's body pass next.
    pub(super) fn note(&mut self, record: &Record, bytes: &[u8]) {
        let most = if is_configuration(record) { CONFIGURATION_KEPT } else { KEPT };
        let room = most.saturating_sub(self.start.len()).min(bytes.len());
        self.start.extend_from_slice(&bytes[..room]);
        if record.layer == Layer::Libxl && record.kind == u64::from(libxl::EMULATOR_XENSTORE_DATA) {
            self.nuls += bytes.iter().filter(|byte| **byte == 0).count() as u64;
        }
    }
}

/// Whether this is the pseudo-record for the configuration that a header carries.
pub(super) fn is_configuration(record: &Record) -> bool {
    matches!(record.layer, Layer::Xl | Layer::Libvirt)
}

/// Whether something in this record's body is decoded.
pub(super) fn has_content(record: &Record) -> bool {
    let is_chain = record.layer == Layer::Libxc && record.kind == u64::from(types::HVM_CONTEXT);
    is_configuration(record)
        || is_chain
        || config::is_metadata(record)
        || !structures::of_body(record.layer, record.kind, record.body_length).is_empty()
}

/// What a record says, given its body.
pub(super) fn content(record: &Record, body: &Body, order: Order) -> Content {
    let bytes = &body.start[..];
    match record.layer {
        #[cfg(feature = "config")]
        Layer::Xl | Layer::Libvirt => configuration(record, bytes).unwrap_or_default(),
        _ if config::is_metadata(record) => {
            let metadata = Text::cut(bytes, record.body_length);
            Values::derived([Value::text("metadata", Some(metadata))])
        }
        _ => structure(record, body, order),
    }
}

#[cfg(feature = "config")]
fn configuration(record: &Record, text: &[u8]) -> Option<Content> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let domain = match record.layer {
        Layer::Xl => config::json_domain(text)?,
        _ => config::xml_domain(text)?,
    };
    let text =
        |name, string: Option<String>| Value::text(name, string.map(|text| Text::new(text.as_bytes())));
    let number = |name, number: Option<u64>| match number {
        Some(number) => Value::decimal(name, number),
        None => Value::text(name, None),
    };
    Some(Values::derived([
        text("name", domain.name),
        text("uuid", domain.uuid),
        text("kind", domain.kind),
        number("memory_kib", domain.memory_kib),
        number("vcpus", domain.vcpus),
    ]))
}

/// The fields of the declared structures, and what follows from them.
fn structure(record: &Record, body: &Body, order: Order) -> Content {
    let mut values = Values::default();
    if record.layer == Layer::Hvm {
        values.derived.extend(instance(record));
    }
    let mut bytes = &body.start[..];
    let mut length = record.body_length;
    for layout in structures::of_body(record.layer, record.kind, record.body_length) {
        fields(layout, bytes, length, order, &mut values.fields);
        bytes = bytes.get(layout.size() as usize..).unwrap_or_default();
        length = length.saturating_sub(layout.size());
    }
    let content = Content::Values(values);
    let derived = derived(record, body, &content);
    let Content::Values(mut values) = content else { return content };
    values.derived.extend(derived);
    if values == Values::default() { Content::Nothing } else { Content::Values(values) }
}

/// Which of several the entry is about.
fn instance(record: &Record) -> Option<Value> {
    let entry = hvm::entry(u16::try_from(record.kind).ok()?)?;
    match entry.instances {
        hvm::Instances::Vcpus => Some(Value::decimal("vcpu_id", record.instance)),
        hvm::Instances::Any if record.instance == 0 => None,
        _ => Some(Value::decimal("instance", record.instance)),
    }
}

/// Adds the fields of a structure of this length that begins with these bytes, those that are there.
fn fields(layout: &'static Layout, bytes: &[u8], length: u64, order: Order, values: &mut Vec<Value>) {
    let order = layout.order.in_stream(order);
    for group in layout.groups {
        let count = group.elements(length);
        let elements = (0..count.min(LISTED as u64)).map_while(|n| {
            let start = usize::try_from(group.offset(n)).ok()?;
            bytes.get(start..).filter(|element| !element.is_empty())
        });
        match group {
            Group { repeat: Repeat::Times(1) | Repeat::Rest, .. } => {
                values.extend(elements.flat_map(|element| element_values(group, element, order)));
            }
            Group { fields: [field], .. } => {
                let numbers: Vec<u64> = elements.map_while(|element| field.value(element, order)).collect();
                values.push(Value { brief: false, ..value(field, Datum::Numbers(numbers, field.show)) });
            }
            _ => {
                let whole = elements.filter(|element| element.len() >= group.size() as usize);
                let elements = whole.map(|element| element_values(group, element, order)).collect();
                let brief = matches!(group.repeat, Repeat::ToEnd);
                values.push(Value { brief, ..Value::new("entries", Datum::List { count, elements }) });
            }
        }
    }
}

fn element_values(group: &'static Group, element: &[u8], order: Order) -> Vec<Value> {
    let read = |field: &'static Field| {
        let number = field.value(element, order).filter(|_| field.show != Show::Bytes)?;
        Some(value(field, Datum::Number(number, field.show)))
    };
    group.fields.iter().filter_map(read).collect()
}

fn value(field: &Field, datum: Datum) -> Value {
    Value { name: field.name, datum, brief: field.brief }
}

/// What follows from the fields, and what is not flat.
fn derived(record: &Record, body: &Body, content: &Content) -> Vec<Value> {
    let number = |name: &str| match content.value(name) {
        Some(Datum::Number(number, _)) => Some(*number),
        _ => None,
    };
    match (record.layer, u32::try_from(record.kind)) {
        (Layer::Libxc, Ok(types::X86_PV_P2M_FRAMES)) => {
            vec![Value::decimal("frames", record.body_length.saturating_sub(p2m::HEADER) / 8)]
        }
        (Layer::Libxc, Ok(types::X86_PV_VCPU_BASIC)) => {
            let is_narrow = record.body_length.checked_sub(vcpu::HEADER) == Some(vcpu::BASIC_32);
            let pfn = |cr3: u64| match is_narrow {
                // The restorer's and the hypervisor's macro turns the word by 12 bits.
                true => u64::from((cr3 as u32).rotate_right(pte::FRAME_SHIFT)),
                false => cr3 >> pte::FRAME_SHIFT,
            };
            let pfn = number("cr3").map(|cr3| Datum::Number(pfn(cr3), Show::Hex));
            pfn.map(|pfn| Value::new("cr3_pfn", pfn)).into_iter().collect()
        }
        (Layer::Libxc, Ok(types::X86_CPUID_POLICY)) => processor(content),
        (Layer::Libxl, Ok(libxl::EMULATOR_XENSTORE_DATA)) => {
            let (header, pairs) = body.start.split_at(body.start.len().min(EMULATOR_HEADER as usize));
            let nuls = body.nuls.saturating_sub(header.iter().filter(|byte| **byte == 0).count() as u64);
            let pairs = Datum::List { count: nuls / 2, elements: self::pairs(pairs) };
            vec![Value::new("pairs", pairs)]
        }
        (Layer::Libxl, Ok(libxl::EMULATOR_CONTEXT)) => {
            let state = body.start.get(EMULATOR_HEADER as usize..).unwrap_or_default();
            let word = |at: usize| state.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word));
            let version = word(4).filter(|_| word(0) == Some(qemu::MAGIC));
            version.map(|version| Value::decimal("qemu_version", version)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Keys and values, those that are complete.
fn pairs(mut bytes: &[u8]) -> Vec<Vec<Value>> {
    let mut pairs = Vec::new();
    let string = |bytes: &mut &[u8]| {
        let at = bytes.iter().position(|byte| *byte == 0)?;
        let (string, rest) = bytes.split_at(at);
        *bytes = &rest[1..];
        Some(Text::new(string))
    };
    while pairs.len() < LISTED
        && let Some(key) = string(&mut bytes)
        && let Some(value) = string(&mut bytes)
    {
        pairs.push(vec![Value::text("key", Some(key)), Value::text("value", Some(value))]);
    }
    pairs
}

/// Vendor, name and signature of the processor, from the leaves of a policy.
fn processor(content: &Content) -> Vec<Value> {
    let Some(Datum::List { elements, .. }) = content.value("entries") else { return Vec::new() };
    let register = |element: &Vec<Value>, name: &str| {
        element.iter().find(|value| value.name == name).map_or(0, |value| match value.datum {
            Datum::Number(number, _) => number as u32,
            _ => 0,
        })
    };
    let registers = |leaf: u32, names: &[&str]| -> Option<Vec<u32>> {
        let element = elements.iter().find(|element| register(element, "leaf") == leaf)?;
        Some(names.iter().map(|name| register(element, name)).collect())
    };
    let mut values = Vec::new();
    if let Some(words) = registers(0, &["ebx", "edx", "ecx"]) {
        values.push(Value::text("vendor", Some(words_text(&words))));
    }
    let all = ["eax", "ebx", "ecx", "edx"];
    let name: Option<Vec<_>> = (0x8000_0002..=0x8000_0004).map(|leaf| registers(leaf, &all)).collect();
    if let Some(words) = name {
        values.push(Value::text("brand", Some(words_text(&words.concat()))));
    }
    if let Some(&[eax]) = registers(1, &["eax"]).as_deref() {
        let bits = |shift: u32, width: u32| (eax >> shift) & ((1 << width) - 1);
        let family = bits(8, 4);
        // The extended fields count where the plain family says so.
        let extended_model = if matches!(family, 6 | 15) { bits(16, 4) << 4 } else { 0 };
        let extended_family = if family == 15 { bits(20, 8) } else { 0 };
        values.push(Value::decimal("family", family + extended_family));
        values.push(Value::decimal("model", bits(4, 4) | extended_model));
        values.push(Value::decimal("stepping", bits(0, 4)));
    }
    values
}

/// Text in registers, up to the NULs and blanks after it.
fn words_text(words: &[u32]) -> Text {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Text::new(bytes[..end].trim_ascii())
}
