//! Image names: how the list sanitizes them, and how replies to deletions spell them.

/// How the names of images are spelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Images {
    /// In the list. A deletion may name an image by this or by its literal name.
    pub sanitizer: Sanitizer,
    /// In replies to deletions and dry runs.
    pub echo: Echo,
}

/// A rule that turns the literal name of an image into a sanitized one. `Local` always stays
/// `Local`. Connect documents no rule, so clients must work with all of them. All but the last lose something, so
/// that two images of the same language and version can have equal rows in the list. The examples are for
/// the image `ghcr.io/Acme/r_base:4.3--x`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sanitizer {
    /// Change to lower case, replace each run of other characters than letters and digits by one
    /// `-`, and trim the ends: `ghcr-io-acme-r-base-4-3-x`.
    #[default]
    Collapse,
    /// Keep the case and replace each character other than a letter or digit by one `-`:
    /// `ghcr-io-Acme-r-base-4-3--x`.
    KeepCase,
    /// Change to lower case and replace each character other than a letter or digit by one `_`:
    /// `ghcr_io_acme_r_base_4_3__x`.
    Underscores,
    /// Change to lower case, keep `.` and `-`, and replace each other character by one `-`:
    /// `ghcr.io-acme-r-base-4.3--x`.
    KeepDots,
    /// Drop the tag, then do as [`Collapse`](Sanitizer::Collapse): `ghcr-io-acme-r-base`.
    DropTag,
    /// Keep only the part after the last `/`, then do as [`Collapse`](Sanitizer::Collapse): `r-base-4-3-x`.
    LastPart,
    /// Call every image `image`.
    Anonymous,
    /// Do as [`Collapse`](Sanitizer::Collapse) and append a hash of the literal name:
    /// `ghcr-io-acme-r-base-4-3-x-4a3a5bf2`.
    AppendHash,
}

impl Sanitizer {
    /// Every rule.
    pub const ALL: [Sanitizer; 8] = [
        Sanitizer::Collapse,
        Sanitizer::KeepCase,
        Sanitizer::Underscores,
        Sanitizer::KeepDots,
        Sanitizer::DropTag,
        Sanitizer::LastPart,
        Sanitizer::Anonymous,
        Sanitizer::AppendHash,
    ];

    /// Returns the sanitized name of an image.
    pub fn sanitize(self, image: &str) -> String {
        if image == "Local" {
            return image.to_string();
        }
        let lower = image.to_ascii_lowercase();
        match self {
            Sanitizer::Collapse => collapse(&lower),
            Sanitizer::KeepCase => replace(image, "", '-'),
            Sanitizer::Underscores => replace(&lower, "", '_'),
            Sanitizer::KeepDots => replace(&lower, ".-", '-'),
            Sanitizer::DropTag => collapse(without_tag(&lower)),
            Sanitizer::LastPart => collapse(last_part(&lower)),
            Sanitizer::Anonymous => "image".to_string(),
            Sanitizer::AppendHash => format!("{}-{:08x}", collapse(&lower), hash(image)),
        }
    }
}

fn collapse(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// Returns a name without its tag. A port before a `/` is no tag.
fn without_tag(name: &str) -> &str {
    let last = last_part(name);
    let tag = last.find(':').map_or(0, |at| last.len() - at);
    &name[..name.len() - tag]
}

/// Replaces each character by `with`, except letters, digits and those to keep.
fn replace(name: &str, keep: &str, with: char) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || keep.contains(c) { c } else { with }).collect()
}

/// Returns the FNV-1a hash of a name, which is the same in every run.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The spelling of an image's name in a reply to a deletion or a dry run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Echo {
    /// Spell it as the list does.
    #[default]
    Listed,
    /// Spell it as the request did.
    Requested,
    /// Spell it literally, as the server stores it. A cache that does not exist is spelled as the
    /// request did.
    Stored,
    /// Sanitize the stored name by a rule of its own, whatever the list does.
    Sanitized(Sanitizer),
}

impl Images {
    /// Returns the spelling, in a reply, of an image that is stored and was requested by these names.
    pub(crate) fn spell(self, stored: &str, requested: &str) -> String {
        match self.echo {
            Echo::Listed => self.sanitizer.sanitize(stored),
            Echo::Requested => requested.to_string(),
            Echo::Stored => stored.to_string(),
            Echo::Sanitized(own) => own.sanitize(stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sanitizer::*;

    #[test]
    fn sanitizes_by_each_rule() {
        for (rule, literal, sanitized) in [
            (Collapse, "ghcr.io/rstudio/Content-Base:r4.3.0__x", "ghcr-io-rstudio-content-base-r4-3-0-x"),
            (Collapse, "--a//b--", "a-b"),
            (Collapse, "ghcr.io/Acme/r_base:4.3--x", "ghcr-io-acme-r-base-4-3-x"),
            (KeepCase, "ghcr.io/Acme/r_base:4.3--x", "ghcr-io-Acme-r-base-4-3--x"),
            (Underscores, "ghcr.io/Acme/r_base:4.3--x", "ghcr_io_acme_r_base_4_3__x"),
            (KeepDots, "ghcr.io/Acme/r_base:4.3--x", "ghcr.io-acme-r-base-4.3--x"),
            (DropTag, "ghcr.io/Acme/r_base:4.3--x", "ghcr-io-acme-r-base"),
            (DropTag, "registry:5000/r", "registry-5000-r"),
            (LastPart, "ghcr.io/Acme/r_base:4.3--x", "r-base-4-3-x"),
            (Anonymous, "ghcr.io/Acme/r_base:4.3--x", "image"),
            (AppendHash, "ghcr.io/Acme/r_base:4.3--x", "ghcr-io-acme-r-base-4-3-x-4a3a5bf2"),
        ] {
            assert_eq!(rule.sanitize(literal), sanitized, "{rule:?}");
            assert_eq!(rule.sanitize("Local"), "Local", "{rule:?}");
        }
        assert_ne!(AppendHash.sanitize("a/b"), AppendHash.sanitize("a:b"));
    }
}
