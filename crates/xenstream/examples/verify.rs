//! Verifies images, with the reason for each that is not valid.
//!
//! ```text
//! cargo run -p xenstream --example verify -- IMAGE...
//! ```

use xenstream::{Error, Options, Policy, Verdict, verify_path};

fn main() -> Result<(), Error> {
    let options = Options::new(Policy::restore());
    for image in std::env::args_os().skip(1) {
        let report = verify_path(&image, &options)?;
        let image = image.display();
        match report.verdict {
            Verdict::Valid => println!("{image}: restores on {}", report.summary.releases.accepted_by()),
            Verdict::Invalid(violation) => println!("{image}: invalid: {violation}"),
            Verdict::Unjudged(reason) => println!("{image}: cannot be judged: {reason}"),
        }
    }
    Ok(())
}
