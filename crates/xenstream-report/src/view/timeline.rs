//! The stream from its first byte to its last, layers as lanes.

use super::findings::Findings;
use super::passes;
use super::records::{Place, Places};
use crate::collect::{Collector, Round};
use crate::kinds::Lane;
use crate::numbers::{bytes, counted};

/// Heights in pixels.
const MARKERS: u32 = 16;
const LANE_TITLE: u32 = 17;
const LANE: u32 = 24;
const GAP: u32 = 9;
const AXIS: u32 = 22;

/// The stream twice: by offset, and with a width for everything.
pub(crate) struct Timeline {
    pub(crate) pictures: Vec<Picture>,
}

/// A picture whose places are in hundredths of its width, and whose heights are in pixels.
pub(crate) struct Picture {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) lanes: Vec<LaneView>,
    pub(crate) markers: Vec<Marker>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) height: u32,
    /// Where the lanes end.
    pub(crate) bottom: u32,
}

/// A lane.
pub(crate) struct LaneView {
    pub(crate) title: &'static str,
    pub(crate) title_y: u32,
    pub(crate) y: u32,
    pub(crate) blocks: Vec<Block>,
}

/// A run of records, what is nested after one, or a round.
pub(crate) struct Block {
    pub(crate) class: &'static str,
    pub(crate) x: f64,
    pub(crate) width: f64,
    /// Where it links to.
    pub(crate) id: Option<String>,
    pub(crate) title: String,
    /// What is written on it, if that fits.
    pub(crate) label: Option<String>,
}

impl Block {
    /// Whether the block would hardly be visible at its true width.
    pub(crate) fn is_thin(&self) -> bool {
        self.width < 0.25
    }
}

/// Where something was found.
pub(crate) struct Marker {
    pub(crate) x: f64,
    pub(crate) number: usize,
    pub(crate) is_error: bool,
    pub(crate) title: String,
}

/// A place on the axis.
pub(crate) struct Tick {
    pub(crate) x: f64,
    pub(crate) label: String,
    /// Which way the label lies.
    pub(crate) anchor: &'static str,
    /// It is left out where there is little room.
    pub(crate) is_minor: bool,
}

impl Timeline {
    pub(crate) fn new(collector: &Collector, places: &Places<'_>, findings: &Findings) -> Timeline {
        if places.bytes == 0 || places.lanes.iter().all(Vec::is_empty) {
            return Timeline { pictures: Vec::new() };
        }
        let whole = places.bytes as f64;
        let by_offset = |offset: u64| offset as f64 / whole * 100.0;
        let warp = Warp::new(places);
        let rounds = collector.rounds.list();
        let to_scale = Picture {
            id: "to-scale",
            title: "By offset",
            description: "The place of each record in the stream, to scale. Each layer is a lane; nested layers are lower.",
            ticks: ticks(places.bytes),
            // What is inside HVM_CONTEXT would be too small to be seen.
            ..picture(&by_offset, &[Lane::Container, Lane::Libxl, Lane::Libxc], places, findings, rounds)
        };
        let in_order = Picture {
            id: "in-order",
            title: "In order",
            description: "The same on a logarithmic scale, so that everything is visible.",
            ..picture(&|offset| warp.place(offset), &Lane::ALL, places, findings, &[])
        };
        Timeline { pictures: vec![to_scale.laid_out(), in_order.laid_out()] }
    }
}

impl Picture {
    /// With heights.
    fn laid_out(mut self) -> Picture {
        let mut y = if self.markers.is_empty() { 0 } else { MARKERS };
        for lane in &mut self.lanes {
            lane.title_y = y + LANE_TITLE - 5;
            lane.y = y + LANE_TITLE;
            y = lane.y + LANE + GAP;
        }
        self.bottom = y - GAP + 3;
        self.height = self.bottom + if self.ticks.is_empty() { 0 } else { AXIS };
        self
    }
}

fn picture(
    scale: &dyn Fn(u64) -> f64,
    lanes: &[Lane],
    places: &Places<'_>,
    findings: &Findings,
    rounds: &[Round],
) -> Picture {
    let lanes = lanes.iter().filter(|lane| !places.lanes[**lane as usize].is_empty());
    let mut lanes: Vec<_> = lanes.map(|lane| lane_view(scale, *lane, places)).collect();
    if rounds.len() > 1 {
        let blocks = rounds.iter().map(|round| round_block(scale, round, places.bytes)).collect();
        lanes.push(LaneView { title: "rounds of memory", title_y: 0, y: 0, blocks });
    }
    let markers = findings.list.iter().map(|finding| Marker {
        x: scale(finding.offset.min(places.bytes)),
        number: finding.number,
        is_error: finding.is_error,
        title: format!("{} {}: {}", finding.level(), finding.number, finding.rule),
    });
    Picture {
        id: "",
        title: "",
        description: "",
        lanes,
        markers: markers.collect(),
        ticks: Vec::new(),
        height: 0,
        bottom: 0,
    }
}

fn lane_view(scale: &dyn Fn(u64) -> f64, lane: Lane, places: &Places<'_>) -> LaneView {
    let mut blocks = Vec::new();
    let list = &places.lanes[lane as usize];
    let ends = list.iter().skip(1).map(|place| place.run.start).chain([places.bytes]);
    for (place, next) in list.iter().zip(ends) {
        blocks.push(record_block(scale, place));
        // What no record of this layer covers is the next layer's.
        if next > place.end && matches!(lane, Lane::Container | Lane::Libxl) && has_inner(lane, places) {
            let (x, width) = extent(scale, place.end, next);
            let title = match lane {
                Lane::Container if !places.lanes[Lane::Libxl as usize].is_empty() => "libxl stream",
                _ => "libxc stream",
            };
            let label = fitting(title, width);
            blocks.push(Block { class: "inside", x, width, id: None, title: title.to_owned(), label });
        }
    }
    LaneView { title: lane.title(), title_y: 0, y: 0, blocks }
}

fn has_inner(lane: Lane, places: &Places<'_>) -> bool {
    places.lanes[lane as usize + 1..].iter().any(|inner| !inner.is_empty())
}

fn record_block(scale: &dyn Fn(u64) -> f64, place: &Place<'_>) -> Block {
    let (x, width) = extent(scale, place.run.start, place.end);
    Block {
        class: place.run.group().class(),
        x,
        width,
        id: Some(place.id.clone()),
        title: place.title(),
        label: fitting(&place.run.label(), width),
    }
}

fn round_block(scale: &dyn Fn(u64) -> f64, round: &Round, bytes: u64) -> Block {
    let (x, width) = extent(scale, round.start.min(bytes), round.end.min(bytes));
    let label = passes::label(round);
    Block {
        class: if round.verifies { "comparison" } else { "round" },
        x,
        width,
        id: Some(format!("round-{}", round.number)),
        title: format!("{label}, {}", counted(round.pages, "page")),
        label: fitting(&label, width),
    }
}

fn extent(scale: &dyn Fn(u64) -> f64, start: u64, end: u64) -> (f64, f64) {
    let x = scale(start);
    (x, (scale(end.max(start)) - x).max(0.0))
}

/// A label, where a block of this width has room for it on a wide screen.
fn fitting(label: &str, width: f64) -> Option<String> {
    const CHARACTER: f64 = 0.68;
    const MARGIN: f64 = 1.0;
    (label.chars().count() as f64 * CHARACTER + MARGIN <= width).then(|| label.to_owned())
}

/// Offsets to places such that everything between two borders has a width that goes by the logarithm of its size.
struct Warp {
    borders: Vec<u64>,
    /// The place of each.
    sums: Vec<f64>,
}

impl Warp {
    fn new(places: &Places<'_>) -> Warp {
        let runs = places.lanes.iter().flatten();
        let mut borders: Vec<u64> = runs.flat_map(|place| [place.run.start, place.end]).collect();
        borders.extend([0, places.bytes]);
        borders.retain(|border| *border <= places.bytes);
        borders.sort_unstable();
        borders.dedup();
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for pair in borders.windows(2) {
            sum += ((pair[1] - pair[0] + 1) as f64).log2();
            sums.push(sum);
        }
        for place in &mut sums {
            *place *= 100.0 / sum;
        }
        Warp { borders, sums }
    }

    fn place(&self, offset: u64) -> f64 {
        match self.borders.binary_search(&offset) {
            Ok(index) => self.sums[index],
            Err(index) if index == 0 || index == self.borders.len() => 100.0,
            Err(index) => {
                let (from, to) = (self.borders[index - 1], self.borders[index]);
                let part = (offset - from) as f64 / (to - from) as f64;
                self.sums[index - 1] + part * (self.sums[index] - self.sums[index - 1])
            }
        }
    }
}

/// Four to eight offsets that are a power of two apart, and the end.
fn ticks(end: u64) -> Vec<Tick> {
    let step = 1u64 << (end.max(8).ilog2() - 2);
    let place = |offset: u64| offset as f64 / end as f64 * 100.0;
    let offsets = (0..8).map(|n| n * step).take_while(|offset| place(*offset) < 88.0);
    let inner = offsets.zip(0..).map(|(offset, n)| Tick {
        x: place(offset),
        label: bytes(offset),
        anchor: if n == 0 { "start" } else { "middle" },
        is_minor: n % 2 == 1 || place(offset) > 75.0,
    });
    let last = Tick { x: 100.0, label: bytes(end), anchor: "end", is_minor: false };
    inner.chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_ticks_of_any_length() {
        for end in [1, 7, 8, 100, 9400, 97_934_850, 1 << 40, (1 << 40) + 1, u64::MAX] {
            let ticks = ticks(end);
            assert!((2..=9).contains(&ticks.len()), "{end}: {}", ticks.len());
            assert!(ticks.windows(2).all(|pair| pair[1].x - pair[0].x > 11.9), "{end}");
        }
    }
    #[test]
    fn everything_has_room_in_order() {
        let mut collector = Collector::new();
        let image = xenstream_synth::valid::hvm().in_libxl().with_device_model().in_xl().bytes();
        let report = xenstream::verify(xenstream::Input::Slice(&image), &Default::default(), &mut collector);
        let bytes = report.unwrap().summary.bytes;
        let places = Places::new(&collector, bytes);
        let warp = Warp::new(&places);
        assert_eq!((warp.place(0), warp.place(bytes)), (0.0, 100.0));
        let steps: Vec<_> = (0..=bytes).map(|offset| warp.place(offset)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        for place in places.lanes.iter().flatten() {
            let width = warp.place(place.end) - warp.place(place.run.start);
            assert!(width > 0.4, "{}: {width}", place.title());
        }
    }
}
