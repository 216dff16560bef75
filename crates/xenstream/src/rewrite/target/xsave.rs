//! Lengths of XSAVE state, which its masks tell.

use xenstream_core::wire::{Order, xsave};

use super::word;

/// Offset of `xstate_bv` in the area.
const XSTATE_BV_AT: usize = 512;

/// No processor's area is longer.
const LONGEST: usize = 64 << 10;

/// The state with as many bytes as its masks ask for, where nothing is lost and nothing has to be made up: what is cut off
/// is zero, and what is added belongs to components in their initial state. The area begins at an offset of the state,
/// after `xcr0_accum`; the length is that of these components on any processor, or of the policy's.
pub(super) fn resized(
    state: &[u8],
    area: usize,
    length: u64,
    is_policys: bool,
) -> Result<Vec<u8>, &'static str> {
    let features = word(state, area.saturating_sub(8), Order::Little).unwrap_or(0);
    if !is_policys && xsave::common_size(features).is_none() {
        return Err("the length of the XSAVE area depends on the processor, and no CPU policy tells it");
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if let Some((kept, tail)) = state.split_at_checked(length) {
        let is_zero = tail.iter().all(|byte| *byte == 0);
        return if is_zero { Ok(kept.to_vec()) } else { Err("the bytes after the XSAVE area are not zero") };
    }
    let have = state.len().saturating_sub(area) as u64;
    let Some(in_use) = word(state, area + XSTATE_BV_AT, Order::Little).filter(|_| have >= xsave::LEGACY)
    else {
        return Err("the XSAVE area is cut off before its header ends");
    };
    let of_area = |features| xsave::common_size(features).is_some_and(|size| size <= have);
    let whole = xsave::X87 | xsave::SSE | if of_area(xsave::AVX) { xsave::AVX } else { 0 };
    if in_use & !whole != 0 {
        return Err("the XSAVE area is cut off inside a component that is in use");
    }
    if length > LONGEST {
        return Err("no processor has an XSAVE area that long");
    }
    let mut long = state.to_vec();
    long.resize(length, 0);
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two masks and an area of this size with these components in use.
    fn state(area: usize, in_use: u64) -> Vec<u8> {
        let mut state = vec![0; 16 + area];
        state[16 + XSTATE_BV_AT..][..8].copy_from_slice(&in_use.to_le_bytes());
        state
    }

    #[test]
    fn only_zeros_are_cut_and_added() {
        assert_eq!(resized(&state(832, 3), 16, 592, false), Ok(state(576, 3)));
        assert_eq!(resized(&state(576, 3), 16, 848, false), Ok(state(832, 3)));
        assert_eq!(resized(&state(832, 7), 16, 2712, true), Ok(state(2696, 7)));
        let mut wide = state(832, 3);
        wide[9] = 2;
        assert!(resized(&wide, 16, 2712, false).is_err() && resized(&wide, 16, 2712, true).is_ok());
        let mut full = state(832, 3);
        full[847] = 1;
        assert!(resized(&full, 16, 592, false).is_err());
        for (short, length) in [
            (state(576, 7), 848),
            (state(832, 0x207), 2712),
            (state(576, 3)[..591].to_vec(), 848),
            (vec![0; 16], 592),
            (state(576, 3), u64::MAX),
        ] {
            assert!(resized(&short, 16, length, true).is_err(), "{} to {length}", short.len());
        }
    }
}
