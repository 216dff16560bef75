//! How a stream is to be judged: format, profile, kind.

use arbitrary::Arbitrary;
use xenstream_core::{Checkpointing, Format, Policy, Profile};

/// Everything about a verification but its input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// The format that the verifier is told.
    pub format: Format,
    /// The profile.
    pub profile: Profile,
    /// What the verifier is told of the stream's kind.
    pub checkpointing: Checkpointing,
    /// Whether the policy keeps going.
    pub keep_going: bool,
    /// Whether the observer wants bodies.
    pub bodies: bool,
}

impl Setup {
    /// Takes a setup from the last bytes of a fuzzer's input, and leaves the stream. Taking them from the end keeps
    /// corpus files valid as they are: libFuzzer's mutations of a file do not move its stream.
    #[must_use]
    pub fn split(data: &[u8]) -> (Setup, &[u8]) {
        let Some((stream, choice)) = data.split_last_chunk::<2>() else {
            return (Setup::default(), data);
        };
        let [kind, how] = choice.map(usize::from);
        let pick = |n: usize| how % n;
        let setup = Setup {
            format: Format::all().cycle().nth(kind).unwrap_or_default(),
            profile: Profile::all().nth(pick(3)).unwrap_or_default(),
            checkpointing: KINDS[kind / 8 % 4],
            keep_going: how & 0x80 != 0,
            bodies: how & 0x40 != 0,
        };
        (setup, stream)
    }

    /// The policy of this setup.
    #[must_use]
    pub fn policy(&self) -> &'static Policy {
        &POLICIES[self.profile as usize][self.checkpointing as usize][usize::from(self.keep_going)]
    }
}

/// What a verifier is told of a stream's kind, in the order of the type's variants.
const KINDS: [Checkpointing; 4] =
    [Checkpointing::Auto, Checkpointing::Plain, Checkpointing::Remus, Checkpointing::Colo];

/// The policies of all setups: to make one takes longer than to judge a short input by it.
static POLICIES: [[[Policy; 2]; 4]; 3] =
    [of_profile(Profile::Spec), of_profile(Profile::Restore), of_profile(Profile::Hardened)];

const fn of_profile(profile: Profile) -> [[Policy; 2]; 4] {
    let [auto, plain, remus, colo] = KINDS;
    [of_kind(profile, auto), of_kind(profile, plain), of_kind(profile, remus), of_kind(profile, colo)]
}

const fn of_kind(profile: Profile, kind: Checkpointing) -> [Policy; 2] {
    [
        Policy::new(profile).with_checkpointing(kind),
        Policy::new(profile).with_checkpointing(kind).with_keep_going(true),
    ]
}

impl<'a> Arbitrary<'a> for Setup {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Setup> {
        let bytes: [u8; 2] = u.arbitrary()?;
        Ok(Setup::split(&bytes).0)
    }
}
