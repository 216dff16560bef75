//! `--shard`: a part of the images, the same wherever it is taken.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

/// Shard `index` of `count`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// Returns whether the path belongs to the shard: by a hash of its bytes, so that no other path moves it.
    pub(crate) fn has(self, path: &Path) -> bool {
        fnv1a(path.as_os_str().as_bytes()) % self.count == self.index - 1
    }
}

/// The 64-bit FNV-1a hash, which is documented for users and must not change.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Shard, &'static str> {
        let numbers = text.split_once('/').and_then(|(index, count)| {
            Some(Shard { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        numbers
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .ok_or("expected I/N, with I from 1 to N")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_in_one_shard() {
        for count in [1, 2, 7] {
            for path in ["", "a", "/var/lib/xen/save/guest.save", "-"] {
                let shards = (1..=count).map(|index| Shard { index, count });
                assert_eq!(shards.filter(|shard| shard.has(Path::new(path))).count(), 1, "{path} of {count}");
            }
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        assert_eq!(fnv1a(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn impossible_shards_are_refused() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
