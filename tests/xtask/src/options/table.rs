//! The table as it is read, and what an option is called, said to do and set to in each language.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::Result;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) client: Group,
    pub(super) request: Group,
    pub(super) wait: Group,
    pub(super) save: Group,
}

/// The options of one call.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Group {
    pub(super) options: Vec<Opt>,
    #[serde(skip)]
    pub(super) name: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opt {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    default: Option<Default>,
    #[serde(default)]
    pub(super) range: Option<String>,
    en: String,
    zh: String,
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default, rename = "in")]
    languages: Option<Vec<Language>>,
    #[serde(default)]
    pub(super) rust: Special,
    #[serde(default)]
    pub(super) python: Special,
    #[serde(default)]
    pub(super) js: Special,
    #[serde(default)]
    pub(super) c: Special,
    #[serde(default)]
    pub(super) cpp: Special,
}

/// What is otherwise in one language.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Special {
    pub(super) name: Option<String>,
    pub(super) function: Option<String>,
    pub(super) own: bool,
    pub(super) field: Option<String>,
    pub(super) call: Option<String>,
    pub(super) feature: Option<String>,
    /// The field is the value itself, not an `Option` of it.
    pub(super) plain: bool,
    pub(super) position: bool,
    pub(super) stub: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    default: Option<Default>,
    en: Option<String>,
    zh: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Default {
    Flag(bool),
    Number(u64),
    Text(String),
    Words { en: String, zh: String },
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    Rust,
    Json,
    Python,
    Js,
    C,
    Cpp,
}

/// The language of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    English,
    Chinese,
}

pub(super) fn read(text: &str) -> Result<Table> {
    let mut table: Table = toml::from_str(text)?;
    for (group, name) in [
        (&mut table.client, "client"),
        (&mut table.request, "request"),
        (&mut table.wait, "wait"),
        (&mut table.save, "save"),
    ] {
        group.name = name;
    }
    Ok(table)
}

impl Group {
    pub(super) fn of(&self, language: Language) -> impl Iterator<Item = &Opt> {
        self.options.iter().filter(move |option| option.is_in(language))
    }
}

impl Opt {
    pub(super) fn is_in(&self, language: Language) -> bool {
        self.languages.as_ref().is_none_or(|languages| languages.contains(&language))
    }

    pub(super) fn special(&self, language: Language) -> &Special {
        match language {
            Language::Rust | Language::Json => &self.rust,
            Language::Python => &self.python,
            Language::Js => &self.js,
            Language::C => &self.c,
            Language::Cpp => &self.cpp,
        }
    }

    /// What the caller writes.
    pub(super) fn name_in(&self, language: Language) -> String {
        let special = self.special(language);
        match (language, &special.name) {
            (Language::Json, _) | (_, None) if language != Language::Js => self.name.clone(),
            (_, Some(name)) => name.clone(),
            (_, None) => {
                let unit = if self.kind == "seconds" { "Ms" } else { "" };
                format!("{}{unit}", camel(&self.name))
            }
        }
    }

    /// What it does.
    pub(super) fn text(&self, language: Language, words: Words) -> String {
        let special = match language {
            // C++ says what C says.
            Language::Cpp if self.cpp.en.is_none() => &self.c,
            _ => self.special(language),
        };
        let (general, own) = match words {
            Words::English => (&self.en, &special.en),
            Words::Chinese => (&self.zh, &special.zh),
        };
        let mut text = String::new();
        let mut rest = own.as_ref().unwrap_or(general).as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (mark, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            match mark.strip_suffix('s').and_then(|number| number.parse().ok()) {
                Some(seconds) => text.push_str(&time(seconds, language, words)),
                None if mark == "forever" => text.push_str(forever(language)),
                // An object of JavaScript.
                None => text.extend(["{", mark, "}"]),
            }
            rest = after;
        }
        text + rest
    }

    /// What it is when nobody sets it; nothing where there is no such thing.
    pub(super) fn default_in(&self, language: Language, words: Words) -> Option<String> {
        let special = match language {
            Language::Cpp if self.cpp.default.is_none() => &self.c,
            _ => self.special(language),
        };
        Some(match (special.default.as_ref().or(self.default.as_ref())?, words) {
            (Default::Words { en, .. }, Words::English) => en.clone(),
            (Default::Words { zh, .. }, Words::Chinese) => zh.clone(),
            (Default::Flag(yes), _) => format!("`{}`", flag(*yes, language)),
            (Default::Number(seconds), _) if self.kind == "seconds" => time(*seconds, language, words),
            (Default::Number(number), _) => number.to_string(),
            (Default::Text(text), _) => format!("`\"{text}\"`"),
        })
    }

    /// The default as code, where it is one.
    pub(super) fn literal(&self, language: Language) -> Option<String> {
        match &self.default {
            Some(Default::Flag(yes)) => Some(flag(*yes, language).to_owned()),
            Some(Default::Number(number)) if self.kind != "seconds" => Some(number.to_string()),
            _ => None,
        }
    }

    /// Text, default and range as the documentation of a function: sentences.
    pub(super) fn documentation(&self, language: Language) -> String {
        let mut text = sentence(&self.text(language, Words::English));
        if self.kind == "seconds" && matches!(language, Language::C | Language::Js) {
            text.push_str(" In milliseconds.");
        }
        if let Some(default) = self.default_in(language, Words::English) {
            let _ = write!(text, " Default: {default}.");
        }
        match self.range.as_deref() {
            Some("above zero") => text.push_str(" Zero is refused."),
            Some("at least 1") => text.push_str(" 0 is refused."),
            Some(_) => text.push_str(" Other numbers are refused."),
            None => {}
        }
        match &self.source {
            Some(section) => text + &format!(" Source: service document {section}."),
            None => text,
        }
    }
}

/// With a capital at the beginning and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

fn time(seconds: u64, language: Language, words: Words) -> String {
    match (language, words) {
        (Language::Js | Language::C | Language::Cpp, _) => thousands(seconds * 1000),
        (Language::Python, _) => seconds.to_string(),
        (_, Words::English) if seconds >= 600 => format!("{} min", seconds / 60),
        (_, Words::Chinese) if seconds >= 600 => format!("{} 分钟", seconds / 60),
        (_, Words::English) => format!("{seconds} s"),
        (_, Words::Chinese) => format!("{seconds} 秒"),
    }
}

fn thousands(number: u64) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (more, rest) => format!("{} {rest:03}", thousands(more)),
    }
}

const fn forever(language: Language) -> &'static str {
    match language {
        Language::Rust | Language::Json => "Duration::MAX",
        Language::Python => "math.inf",
        Language::Js => "Infinity",
        Language::C => "JFAI_FOREVER",
        Language::Cpp => "junfeiai::forever",
    }
}

const fn flag(yes: bool, language: Language) -> &'static str {
    match (language, yes) {
        (Language::Python, true) => "True",
        (Language::Python, false) => "False",
        (_, true) => "true",
        (_, false) => "false",
    }
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut text, part| {
        let mut chars = part.chars();
        match part {
            "url" => text.push_str("URL"),
            _ => text.extend(chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)),
        }
        text
    })
}

/// The text in lines of a comment, none longer than 120 characters.
pub(super) fn comment(text: &str, indent: &str, begin: &str) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        // A number and its unit stay together.
        let unit = matches!(word.trim_matches(['.', ',', ';']), "s" | "min");
        if !line.is_empty() && !unit && indent.len() + begin.len() + line.chars().count() + word.chars().count() > 118 {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.iter().fold(String::new(), |text, line| text + indent + begin + " " + line + "\n")
}
