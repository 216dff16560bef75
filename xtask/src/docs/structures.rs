//! docs/structures.md, generated from the tables of structures.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use xenstream_core::wire::layout::{ByteOrder, Check, Field, Group, Keep, Layout, Repeat, Show};
use xenstream_core::wire::structures::all;

/// Writes the whole file.
pub(super) fn structures(text: &mut String) -> fmt::Result {
    text.write_str(
        "<!-- Made by `cargo xtask docs` from crates/xenstream-core/src/wire. -->\n\n\
         # The structures\n\n\
         Every structure with fields at fixed offsets, as `xenstream` verifies, prints and scrubs it. Offsets and widths are\n\
         in bytes. Offsets count from the start of the structure, or of the element if fields repeat. PAGE_DATA, page\n\
         tables and xenstore strings have no fixed offsets and are not listed.\n\n\
         *Kept* says when `xenstream scrub` keeps a value: always, unless the stream is damaged (*sound*), unless registers\n\
         are blanked (*registers*), or never. Bytes that no field covers become zero.\n\n\
         A check names the rule that a value breaks. *By hand* means that the check needs more than the value.\n",
    )?;
    let mut names = BTreeSet::new();
    all()
        .filter(|layout| !layout.groups.is_empty() && names.insert(layout.name))
        .try_for_each(|layout| structure(text, layout))
}

fn structure(text: &mut String, layout: &Layout) -> fmt::Result {
    let order = match layout.order {
        ByteOrder::Stream => "byte order of the stream",
        ByteOrder::Little => "little-endian",
        ByteOrder::Big => "big-endian",
    };
    write!(text, "\n## {}\n\n{order}, {} bytes", layout.name, layout.size())?;
    if layout.groups.iter().any(|group| matches!(group.repeat, Repeat::ToEnd | Repeat::Rest)) {
        text.write_str(" and what follows")?;
    }
    text.write_str(".\n\n| offset | width | field | meaning | kept | checks |\n|---|---|---|---|---|---|\n")?;
    layout.groups.iter().try_for_each(|group| rows(text, group))
}

fn rows(text: &mut String, group: &Group) -> fmt::Result {
    for field in group.fields {
        let at = match group.repeat {
            Repeat::Times(1) => field.at.to_string(),
            Repeat::Times(times) => format!("{} + {} n, n < {times}", group.at + field.at, group.stride),
            Repeat::ToEnd => format!("{} + {} n", group.at + field.at, group.stride),
            Repeat::Rest => group.at.to_string(),
        };
        let width = if group.repeat == Repeat::Rest { "rest".to_owned() } else { field.width.to_string() };
        let checks: Vec<_> = field.checks.iter().map(check).collect();
        let (name, kept) = (field.name, kept(field));
        writeln!(
            text,
            "| {at} | {width} | `{name}` | {} | {kept} | {} |",
            meaning(field),
            checks.join(", ")
        )?;
    }
    Ok(())
}

fn meaning(field: &Field) -> String {
    let Show::Flags(flags) = field.show else { return field.meaning.to_owned() };
    let flags: Vec<_> = flags.iter().map(|flag| format!("{} {}", flag.bit, flag.name)).collect();
    format!("{}: bit {}", field.meaning, flags.join(", "))
}

fn kept(field: &Field) -> &'static str {
    match field.keep {
        Keep::Always => "always",
        Keep::UnlessDamaged => "sound",
        Keep::UnlessRegisters => "registers",
        Keep::Never => "never",
    }
}

fn check(check: &Check) -> String {
    let what = match check {
        Check::Zero(_) => "zero".to_owned(),
        Check::Is(value, _) => format!("{value:#x}"),
        Check::AtMost(bound, _) => format!("at most {bound:#x}"),
        Check::AtLeast(bound, _) => format!("at least {bound:#x}"),
        Check::Between(low, high, _) => format!("{low:#x} to {high:#x}"),
        Check::Within(mask, _) => format!("no bit outside {mask:#x}"),
        Check::Has(mask, _) => format!("every bit of {mask:#x}"),
        Check::OneOf(values, _) => {
            let values: Vec<_> = values.iter().map(|value| format!("{value:#x}")).collect();
            format!("one of {}", values.join(" "))
        }
        Check::Canonical(_) => "canonical".to_owned(),
        Check::GuestAddress(_) => "canonical and not the hypervisor's".to_owned(),
        Check::For(_, inner) => return format!("on some releases {}", self::check(inner)),
        Check::By(_) => return "by hand".to_owned(),
    };
    match check.rule() {
        Some(rule) => format!("{what} (`{rule}`)"),
        None => what,
    }
}
