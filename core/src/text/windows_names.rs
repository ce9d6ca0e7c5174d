//! What Windows makes of a file name. It is judged by name alone, so that it can be tried anywhere.
//!
//! Source: Microsoft, "Naming Files, Paths, and Namespaces".

/// Why a name cannot be that of a file or folder on Windows; `None` where it can.
///
/// Windows would not refuse all of these: it cuts off a dot or space at the end, writes what is behind a colon into a hidden
/// stream of the file in front of it, and sends what a device takes nowhere.
#[cfg(any(windows, test))]
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    if name.chars().any(|c| matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')) {
        return Some("it holds one of < > : \" | ? *");
    }
    if name.chars().any(|c| c < ' ') {
        return Some("it holds a control character");
    }
    if is_device(name) {
        return Some("it is the name of a device");
    }
    if name.encode_utf16().count() > 255 {
        return Some("it is too long");
    }
    if name.ends_with(['.', ' ']) && name != "." && name != ".." {
        return Some("it ends with a dot or a space");
    }
    None
}

/// Whether Windows reads a name as a device, whatever is behind the dot.
pub(crate) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    let mut end = stem.chars();
    let numbered =
        matches!(end.next_back(), Some('0'..='9' | '¹' | '²' | '³')) && matches!(end.as_str(), "COM" | "LPT");
    numbered || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_reads_as_something_else_are_found() {
        for name in [
            "a.mp4",
            "ünï 漢.mp4",
            ".hidden",
            "..",
            ".",
            "com.mp4",
            "com10.mp4",
            "null.mp4",
            "auxiliary",
            "a b.mp4",
            "[1].mp4",
        ] {
            assert_eq!(fault(name), None, "{name}");
        }
        for (name, word) in [
            ("a:b.mp4", "< > :"),
            ("what?.mp4", "< > :"),
            ("tab\t.mp4", "control"),
            ("NUL", "device"),
            ("nul.mp4", "device"),
            ("Com1.tar.gz", "device"),
            ("lpt³.mp4", "device"),
            ("aux .mp4", "device"),
            ("conout$", "device"),
            ("video.mp4.", "ends"),
            ("video ", "ends"),
            ("...", "ends"),
            (&"x".repeat(256), "long"),
        ] {
            assert!(fault(name).is_some_and(|fault| fault.contains(word)), "{name}: {:?}", fault(name));
        }
    }
}
