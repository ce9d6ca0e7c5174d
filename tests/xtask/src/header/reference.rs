//! What makes a reference of cbindgen's header: named enums, groups, the parameters and the result of every function, and
//! compilers that warn about a status that nobody looks at.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::Result;

type Enum = (&'static str, &'static str, &'static str, &'static str);
type Group = (&'static str, &'static str, &'static [&'static str]);

/// The enums: the beginning of the names of their constants, their own name, and what they are.
const ENUMS: &[Enum] = &[
    ("JFAI_PENDING_", "jfai_pending_kind", "journal", "What is unfinished: the result of jfai_pending_state()."),
    ("JFAI_KEY_", "jfai_key_stage", "journal", "How far the task of a key is: the result of jfai_key_state()."),
    ("JFAI_LOG_", "jfai_log_level", "log", "The levels of jfai_set_log()."),
    ("JFAI_SEEK_", "jfai_seek_origin", "readers", "Where jfai_reader_seek() counts from."),
    (
        "JFAI_VERDICT_",
        "jfai_verdict",
        "reconciliation",
        "What became of a create request: the result of jfai_settled_verdict().",
    ),
    (
        "JFAI_VALIDATE_",
        "jfai_validation",
        "requests",
        "How strictly a request is checked: for jfai_request_set_validate().",
    ),
    (
        "JFAI_TASK_",
        "jfai_task_state",
        "tasks",
        "The states of a task: the result of jfai_task_status(). New ones may come.",
    ),
];

/// The groups: name, title, and the source files whose functions and types are in them.
const GROUPS: &[Group] = &[
    ("client", "Client and library", &["client", "client_runtime"]),
    ("client_options", "Options of a client", &["options", "client_setters"]),
    ("requests", "Requests", &["request"]),
    ("calls", "Create, query and wait", &["calls"]),
    ("wait_options", "Options of a wait", &["wait", "wait_setters"]),
    ("tasks", "Tasks", &["task", "task_status"]),
    ("watch", "States as they come", &["watch"]),
    ("videos", "Videos and bytes", &["video", "bytes"]),
    ("save", "Saving a video", &["save", "save_setters"]),
    ("readers", "Reading without a file", &["reader"]),
    ("batches", "Many at once", &["many"]),
    ("async", "Calls without blocking", &["calls_async", "completion_queue"]),
    ("cancel", "Cancelling", &["cancel"]),
    ("durable", "Durable waits", &["advance"]),
    ("journal", "Journal and keys", &["journal"]),
    ("reconciliation", "Unknown outcomes", &["reconcile"]),
    ("checks", "Checks, balance and cost", &["check"]),
    ("errors", "Errors", &["error", "error_handle", "status"]),
    ("log", "Log", &["log"]),
];

/// What the parameters mean; handles, outputs of handles and errors are described by their types.
const PARAMETERS: &[(&str, &str)] = &[
    ("account", "Whether models and balance are queried as well."),
    ("account_token", "The access token of the account."),
    ("account_user", "The account's number in digits."),
    ("api_key", "The API key."),
    ("budget_ms", "Milliseconds from the first attempt to the start of the last."),
    ("buffer", "Where the bytes go."),
    ("burst", "How many requests may be sent at once."),
    ("bytes_per_second", "Bytes per second."),
    ("callback", "The function that gets the lines; NULL removes it."),
    ("concurrency", "How many tasks may be alive at a time."),
    ("connections", "How many connections."),
    ("count", "How many items the array has."),
    ("data", "The bytes."),
    ("done", "The completion callback."),
    ("end", "The first byte that is not read."),
    ("endpoint", "A name, a base URL or an alias."),
    ("file", "The path of the file."),
    ("first_ms", "Milliseconds before the second attempt."),
    ("folder", "The path of the folder."),
    ("header", "The name of the header."),
    ("header_version", "JFAI_VERSION, as the program was compiled with it."),
    ("host", "The host, or host and port."),
    ("index", "Which one, counted from 0."),
    ("intent", "The journal's id of the create request."),
    ("json", "The JSON text."),
    ("key", "The key."),
    ("language", "The languages, as in the HTTP header."),
    ("level", "The most detailed level that is wanted, of #jfai_log_level."),
    ("longest_ms", "The longest delay in milliseconds."),
    ("max_attempts", "How many attempts."),
    ("max_in_flight_creates", "How many create requests."),
    ("max_poll_errors", "How many polls."),
    ("max_size", "How many bytes at most."),
    ("model", "The name of the model."),
    ("ms", "Milliseconds."),
    ("name", "Its name."),
    ("offset", "The first byte, counted from 0."),
    ("out_count", "Gets how many callbacks were called."),
    ("out_found", "Gets whether it was on the list."),
    ("out_position", "Gets the new position."),
    ("out_size", "Gets the number of bytes."),
    ("per_second", "Requests per second."),
    ("progress", "The progress callback; NULL removes it."),
    ("prompt", "What the video shows."),
    ("proxy", "The URL of the proxy."),
    ("queue", "Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread."),
    ("requests", "The requests."),
    ("sdk_name", "The name."),
    ("seconds", "The length in seconds."),
    ("since", "The first day, as YYYY-MM-DD."),
    ("size", "The number of bytes."),
    ("state", "The state that was stored."),
    ("status", "The number."),
    ("task_id", "The task's id."),
    ("task_ids", "The ids of the tasks."),
    ("timeout_ms", "How many milliseconds to wait at most."),
    ("url", "The URL."),
    ("usd", "US dollars."),
    ("user", "What the callback is given as its first argument."),
    ("user_agent", "The text."),
    ("validate", "One of #jfai_validation."),
    ("value", "The value."),
    ("video_base_url", "Scheme and host."),
    ("wakeup", "The function; NULL removes it."),
    ("whence", "One of #jfai_seek_origin."),
    ("yes", "Whether."),
    ("cancel", "Ends the call from any thread; NULL: nothing does."),
];

/// What the sources of the library know and cbindgen's text does not.
pub(super) struct Source {
    /// The group of each function and type.
    groups: HashMap<String, &'static str>,
    /// What a function that cannot fail returns where its handle is NULL.
    nulls: HashMap<String, String>,
}

impl Source {
    /// Reads a source file, of the module `module`.
    pub(super) fn read(&mut self, module: &str, code: &str) {
        let found = GROUPS.iter().find(|(_, _, modules)| modules.contains(&module));
        for (start, _) in code.match_indices("extern \"C\" fn jfai_") {
            let code = &code[start + 14..];
            let name = word(code);
            if let Some((group, ..)) = found {
                self.groups.insert(name.to_owned(), group);
            }
            let body = &code[..code.find("\n}").unwrap_or(code.len())];
            if let Some(value) = body.split_once("guard_or!(").and_then(|(_, rest)| rest.split_once(" =>")) {
                let value = match value.0 {
                    "ptr::null()" => "NULL",
                    "-1.0" => "-1",
                    "0.0" | "JFAI_TASK_UNKNOWN" => "0",
                    other => other,
                };
                self.nulls.insert(name.to_owned(), value.to_owned());
            }
        }
        for line in code.lines() {
            if let Some(rest) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub type "))
                && let Some((group, ..)) = found
            {
                self.groups.insert(word(rest).to_owned(), group);
            }
        }
    }

    pub(super) fn new() -> Self {
        Self { groups: HashMap::new(), nulls: HashMap::new() }
    }
}

/// The definitions of the groups, for the top of the header.
pub(super) fn definitions() -> Result<String> {
    let mut text = String::new();
    for (name, title, _) in GROUPS {
        writeln!(text, "/** @defgroup junfeiai_{name} {title} */")?;
    }
    Ok(text)
}

/// The identifier at the beginning.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// cbindgen's header, with all that.
pub(super) fn finish(text: &str, source: &Source) -> Result<String> {
    let mut out: Vec<String> = Vec::new();
    let mut group: Option<&str> = None;
    let mut blocks = text.split("\n\n").peekable();
    while let Some(block) = blocks.next() {
        let declaration = declaration(block);
        if let Some(found) = constant(declaration) {
            let mut members = vec![block];
            while blocks
                .peek()
                .is_some_and(|next| constant(self::declaration(next)).is_some_and(|other| other.1 == found.1))
            {
                members.extend(blocks.next());
            }
            out.push(named(&members, found));
            continue;
        }
        let next = declaration.starts_with("JFAI_API").then(|| function_name(declaration)).flatten();
        let next = match next {
            Some(name) => Some(*source.groups.get(name).ok_or_else(|| format!("{name} is in no group: see GROUPS"))?),
            None => None,
        };
        if next != group {
            if group.is_some() {
                out.push("/** @} */".to_owned());
            }
            if let Some(group) = next {
                out.push(format!("/** @addtogroup junfeiai_{group}\n * @{{ */"));
            }
            group = next;
        }
        out.push(match next {
            Some(_) => function(block, declaration, source)?,
            None => in_group(block, declaration, source),
        });
    }
    Ok(out.join("\n\n"))
}

/// What follows the comment of a block.
fn declaration(block: &str) -> &str {
    match block.split_once(" */\n") {
        Some((comment, rest)) if comment.starts_with("/**") => rest,
        _ => "",
    }
}

fn constant(declaration: &str) -> Option<&'static Enum> {
    let name = declaration.strip_prefix("#define ")?;
    ENUMS.iter().find(|(prefix, ..)| name.starts_with(prefix))
}

/// The constants of an enum as one.
fn named(members: &[&str], (_, name, group, title): &Enum) -> String {
    let mut text = format!("/**\n * {title}\n * @ingroup junfeiai_{group}\n */\nenum {name} {{\n");
    for member in members {
        let (comment, definition) = member.split_once(" */\n").unwrap_or_default();
        let comment: Vec<&str> = comment.lines().skip(1).map(|line| line.trim_start_matches(" *").trim()).collect();
        let mut parts = definition.split_whitespace().skip(1);
        let (constant, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let _ = writeln!(text, "  /** {} */\n  {constant} = {value},", comment.join("\n   *  ").trim_end());
    }
    text + "};"
}

/// A type or a callback, with its group.
fn in_group(block: &str, declaration: &str, source: &Source) -> String {
    let name = declaration.strip_prefix("typedef ").and_then(|rest| {
        // `struct x x;`, `int32_t x;` or `void (*x)(…)`.
        let name = rest
            .split_once("(*")
            .map_or_else(|| rest.trim_end_matches([';', '\n']).rsplit(' ').next(), |(_, name)| Some(name));
        name.map(word)
    });
    match name.and_then(|name| source.groups.get(name)) {
        Some(group) => block.replacen("\n */\n", &format!("\n * @ingroup junfeiai_{group}\n */\n"), 1),
        None => block.to_owned(),
    }
}

fn function_name(declaration: &str) -> Option<&str> {
    declaration.split_once('(')?.0.rsplit([' ', '*', '\n']).next()
}

/// A function: its comment with parameters and result, its declaration with the mark of what must be looked at.
fn function(block: &str, declaration: &str, source: &Source) -> Result<String> {
    let flat = declaration.split_whitespace().collect::<Vec<_>>().join(" ").replace("struct ", "");
    let (head, inside) = flat.trim_start_matches("JFAI_API ").split_once('(').unwrap_or_default();
    let name = function_name(declaration).unwrap_or_default();
    let returns = head.trim_end_matches(name).trim();
    let inside = inside.split(')').next().unwrap_or_default();
    let comment = block.split_once("\n */\n").unwrap_or_default().0;
    let documentation =
        comment.lines().map(|line| line.trim_start_matches(['/', ' ', '*'])).collect::<Vec<_>>().join(" ");
    let mut lines = Vec::new();
    let mut own = None;
    let parameters: Vec<(&str, &str)> = inside
        .split(", ")
        .filter(|part| !part.is_empty() && *part != "void")
        .map(|part| part.split_at(part.rfind([' ', '*']).map_or(0, |place| place + 1)))
        .collect();
    for (kind, parameter) in &parameters {
        let kind = kind.trim();
        if own.is_none() && handle(kind).is_some() {
            own = Some(*parameter);
        }
        let (direction, text) = described(name, kind, parameter)?;
        let optional =
            if may_be_null(&documentation, parameter) && !text.contains("NULL") { " May be NULL." } else { "" };
        lines.push(format!(" * @param{direction} {parameter} {text}{optional}"));
    }
    if returns != "void" {
        lines.push(format!(" * @return {}", result(name, returns, own, &parameters, source)));
    }
    let mark = if returns == "jfai_status" && parameters.iter().any(|(_, name)| *name == "err") {
        "JFAI_NODISCARD "
    } else {
        ""
    };
    // On one line with the rest it would be a long one.
    let declaration =
        if mark.is_empty() { declaration.to_owned() } else { declaration.replacen("JFAI_API ", "JFAI_API\n", 1) };
    Ok(format!("{comment}\n *\n{}\n */\n{mark}{declaration}", lines.join("\n")))
}

/// The type of handle that is handed in.
fn handle(kind: &str) -> Option<&str> {
    let name = kind.trim_start_matches("const ").strip_suffix(" *")?;
    (name.starts_with("jfai_") && !name.contains('*')).then_some(name)
}

/// Where a parameter goes, and what it is.
fn described(function: &str, kind: &str, parameter: &str) -> Result<(&'static str, String)> {
    if parameter == "err" {
        return Ok(("[out]", "Gets the error of a call that fails, for jfai_error_free(); may be NULL.".to_owned()));
    }
    if let Some(made) = kind.strip_suffix(" **").filter(|made| made.starts_with("jfai_")) {
        return Ok(("[out]", format!("Gets the handle, for {made}_free().")));
    }
    let known = PARAMETERS.iter().find(|(name, _)| *name == parameter).map(|(_, text)| (*text).to_owned());
    if let Some(owner) = handle(kind)
        && (function.starts_with(owner) || known.is_none())
    {
        if function.ends_with("_free") {
            return Ok(("", "What to free; may be NULL.".to_owned()));
        }
        return Ok(("", format!("The {}.", owner.trim_start_matches("jfai_").replace('_', " "))));
    }
    let text = known.ok_or_else(|| format!("{parameter} of {function} has no description: see PARAMETERS"))?;
    let text = match (parameter, kind) {
        ("size", "const char *") => "The frame size.".to_owned(),
        ("offset", "int64_t") => "How many bytes, forwards or backwards.".to_owned(),
        _ => text,
    };
    let direction = if parameter.starts_with("out_") || parameter == "buffer" { "[out]" } else { "" };
    Ok((direction, text))
}

fn result(name: &str, returns: &str, own: Option<&str>, parameters: &[(&str, &str)], source: &Source) -> String {
    if returns == "jfai_status" && parameters.iter().any(|(_, name)| *name == "err") {
        return "JFAI_OK, or one of #jfai_status_code.".to_owned();
    }
    let (Some(own), Some(null)) = (own, source.nulls.get(name)) else {
        return "A constant text.".to_owned();
    };
    let what = match name {
        "jfai_task_status" | "jfai_error_last_status" => "One of #jfai_task_state".to_owned(),
        "jfai_pending_state" => "One of #jfai_pending_kind".to_owned(),
        "jfai_key_state" => "One of #jfai_key_stage".to_owned(),
        "jfai_settled_verdict" => "One of #jfai_verdict".to_owned(),
        "jfai_error_status" => "One of #jfai_status_code".to_owned(),
        _ if returns == "const char *" => format!("A text that belongs to {own}"),
        _ if returns == "const uint8_t *" => format!("Bytes that belong to {own}"),
        _ if returns.ends_with('*') => format!("A handle that belongs to {own}"),
        _ if returns == "bool" => "True or false".to_owned(),
        _ => "The number".to_owned(),
    };
    let none = if null == "NULL" { "there is none or " } else { "" };
    format!("{what}; {null} where {none}{own} is NULL.")
}

/// Whether the comment says that a parameter may be NULL: "`a`, `b` and `c` may be NULL".
fn may_be_null(documentation: &str, parameter: &str) -> bool {
    documentation.match_indices("may be NULL").any(|(place, _)| {
        let mut before = documentation[..place].trim_end_matches(['(', ' ']);
        while let Some(rest) = before.strip_suffix('`') {
            let Some((front, name)) = rest.rsplit_once('`') else { return false };
            if name == parameter {
                return true;
            }
            before = front.trim_end().trim_end_matches("and").trim_end_matches(',').trim_end();
        }
        false
    })
}
