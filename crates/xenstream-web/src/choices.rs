//! What a user chooses on the page.

use serde::{Deserialize, Serialize};
use xenstream::{Options, Policy, Profile, Target};

/// How an image is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// The name of a profile; empty for the default.
    pub profile: String,
    /// The release that the image is to be restored on; empty for any.
    pub target: String,
    /// Whether everything that is wrong is listed.
    pub keep_going: bool,
}

impl Choices {
    /// Returns the options. Names that are not known, which the page does not offer, stand for the defaults.
    pub(crate) fn options(&self) -> Options {
        let profile = Profile::all().find(|profile| profile.name() == self.profile);
        let policy = Policy::new(profile.unwrap_or_default()).with_keep_going(self.keep_going);
        let target = self.target.parse::<Target>().ok();
        Options::new(match target {
            Some(target) => policy.with_target(Some(target)),
            None => policy,
        })
    }
}

/// Returns the releases that can be chosen, as JSON: a list of objects with `name`, which [`Choices`] takes, and `label`.
#[must_use]
pub fn targets() -> String {
    #[derive(Serialize)]
    struct Choice {
        name: String,
        label: String,
    }
    let choice = |target: Target| Choice {
        name: target.to_string(),
        label: target.vendor_label().map_or_else(|| format!("Xen {target}"), str::to_owned),
    };
    let choices: Vec<Choice> = Target::all().map(choice).collect();
    serde_json::to_string(&choices).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_on_offer_can_be_chosen() {
        let offered: Vec<serde_json::Value> = serde_json::from_str(&targets()).unwrap();
        assert!(offered.len() > 50);
        for target in offered {
            let name = target["name"].as_str().unwrap().to_owned();
            let choices = Choices { target: name.clone(), ..Choices::default() };
            assert_eq!(choices.options().policy.target().unwrap().to_string(), name);
        }
    }

    #[test]
    fn unknown_names_stand_for_the_defaults() {
        let choices: Choices = serde_json::from_str(r#"{"profile":"x","target":"y"}"#).unwrap();
        assert_eq!(choices.options(), Options::default());
    }
}
