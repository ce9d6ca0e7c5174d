//! Short names for what a module imports and exports: the long ones hold hashes, which do not compress.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use walrus::Module;

/// The name of the one module that everything is imported from.
pub(crate) const FROM: &str = "a";

/// Long names and the short ones in their place.
pub(crate) struct Names {
    /// Module, long name, short name.
    imports: Vec<(String, String, String)>,
    exports: BTreeMap<String, String>,
    /// How many names of exports are taken.
    count: usize,
}

/// Renames all imports and exports of a module.
pub(crate) fn shorten(module: &mut Module) -> Names {
    let mut names = Names { imports: Vec::new(), exports: BTreeMap::new(), count: 0 };
    for (number, import) in module.imports.iter_mut().enumerate() {
        names.imports.push((import.module.clone(), import.name.clone(), name(number)));
        (import.module, import.name) = (FROM.to_owned(), name(number));
    }
    for export in module.exports.iter_mut() {
        let short = names.fresh();
        let long = std::mem::replace(&mut export.name, short.clone());
        names.exports.insert(long, short);
    }
    names
}

impl Names {
    /// A name that no export has.
    pub(crate) fn fresh(&mut self) -> String {
        self.count += 1;
        name(self.count - 1)
    }

    /// The short names of these exports.
    pub(crate) fn of(&self, exports: &[String]) -> Result<Vec<String>> {
        let short = |long| self.exports.get(long).cloned().with_context(|| format!("there is no export {long}"));
        exports.iter().map(short).collect()
    }

    /// See the head of `main.rs`. No name needs to be escaped.
    pub(crate) fn to_json(&self) -> String {
        let imports = self.imports.iter().map(|(from, long, short)| format!(r#"["{from}","{long}","{short}"]"#));
        let exports = self.exports.iter().map(|(long, short)| format!(r#"["{long}","{short}"]"#));
        let list = |names: Vec<String>| names.join(",");
        format!(r#"{{"imports":[{}],"exports":[{}]}}"#, list(imports.collect()), list(exports.collect()))
    }
}

/// The short name of a number: a letter, then letters and digits.
fn name(mut number: usize) -> String {
    const FIRST: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const REST: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut text = String::from(char::from(FIRST[number % FIRST.len()]));
    number /= FIRST.len();
    while number > 0 {
        number -= 1;
        text.push(char::from(REST[number % REST.len()]));
        number /= REST.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let names: Vec<String> = (0..10_000).map(name).collect();
        let mut different = names.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), names.len());
        assert_eq!((&*names[0], &*names[51], &*names[52], &*names[104]), ("a", "Z", "aa", "ab"));
    }
}
