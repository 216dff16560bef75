//! `--nagios`: one line and an exit status, as monitoring plugins give them.

use super::Store;

const WORDS: [&str; 4] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

/// Returns the line and the exit status: 2 if an image is invalid, 3 if one could not be read, 1 if one cannot be judged or there
/// are warnings, and 0 otherwise.
pub(super) fn line(store: &Store) -> (String, u8) {
    let images = || store.images.iter().filter(|image| !image.passed_over);
    let count = |verdict: &str| images().filter(|image| image.is(verdict)).count();
    let [valid, invalid, unjudged, errors] = ["valid", "invalid", "unjudged", "error"].map(count);
    let warned = images().filter(|image| !image.warnings.is_empty()).count();
    let status = match (invalid, errors, unjudged + warned) {
        (1.., ..) => 2,
        (_, 1.., _) => 3,
        (.., 1..) => 1,
        _ => 0,
    };
    let worst = images().find(|image| match status {
        2 => image.is("invalid"),
        3 => image.is("error"),
        _ => image.is("unjudged") || !image.warnings.is_empty(),
    });
    let named = worst.filter(|_| status > 0).map(|image| {
        let finding = image.finding.as_ref().map(|finding| finding.rule.as_str());
        let rule = finding.or_else(|| image.warnings.first().map(String::as_str)).unwrap_or_default();
        // The bar begins the figures.
        format!("; {}: {rule}", image.path.replace('|', "/"))
    });
    let bytes: u64 = images().map(|image| image.bytes).sum();
    let line = format!(
        "XENSTREAM {} - {} images: {valid} valid, {invalid} invalid, {unjudged} unjudged, {errors} without a verdict, \
         {warned} with warnings{} | images={};;;0 valid={valid};;;0 invalid={invalid};0:;0:0;0 unjudged={unjudged};0:0;;0 \
         errors={errors};;0:0;0 warnings={warned};0:0;;0 bytes={bytes}B;;;0 seconds={:.3}s;;;0",
        WORDS[usize::from(status)],
        images().count(),
        named.unwrap_or_default(),
        images().count(),
        store.seconds,
    );
    (line, status)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{image, store};
    use super::*;

    #[test]
    fn the_worst_image_decides() {
        let verdicts = ["valid", "unjudged", "error", "invalid"];
        for (n, expected) in [(1, 0), (2, 1), (3, 3), (4, 2)] {
            let images = verdicts[..n].iter().map(|verdict| image(b"a", verdict)).collect();
            let (line, status) = line(&store(images));
            assert_eq!(status, expected, "{line}");
            assert!(
                line.starts_with(&format!("XENSTREAM {} - {n} images", WORDS[usize::from(status)])),
                "{line}"
            );
        }
        let mut warned = image(b"a", "valid");
        warned.warnings.insert("libxc::padding".into());
        let (text, status) = line(&store(vec![warned]));
        assert!(status == 1 && text.contains("; a: libxc::padding |"), "{text}");
        assert_eq!(line(&store(Vec::new())).1, 0);
    }

    #[test]
    fn hostile_names_stay_in_the_line() {
        let (line, _) = line(&store(vec![image(b"a|b=1\nc", "invalid")]));
        assert_eq!((line.lines().count(), line.matches('|').count()), (1, 1), "{line}");
        assert!(line.contains("a/b=1\\x0ac: stream::truncated"), "{line}");
    }
}
