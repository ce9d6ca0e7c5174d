//! What of a linked module only certain exports need: found by its relocations, which name every function and every piece of data
//! that code and data refer to, also in tables of methods.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use anyhow::{Context as _, Result, bail, ensure};
use wasmparser::{
    DataKind, ExternalKind, KnownCustom, Linking, Operator, Parser, Payload, RelocationType, SymbolInfo, TypeRef,
};

/// Functions and memory that only certain exports need.
#[derive(Default)]
pub(crate) struct Apart {
    /// Names of functions.
    pub(crate) functions: HashSet<String>,
    /// Addresses of constants, in order. None lies over or beside another.
    pub(crate) data: Vec<Range<u32>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Node {
    Function(u32),
    /// A symbol by its number.
    Data(usize),
}

#[derive(Default)]
struct Linked<'a> {
    imported: u32,
    exports: Vec<(&'a str, u32)>,
    start: Option<u32>,
    names: HashMap<u32, &'a str>,
    /// Where each function's body is in the code section.
    bodies: Vec<Range<usize>>,
    /// Where each segment's bytes are in the data section, and their address.
    segments: Vec<(Range<usize>, u32)>,
    symbols: Vec<Option<Node>>,
    /// The address and length of each symbol that is data.
    data: BTreeMap<usize, (u32, u32)>,
    code_relocations: Vec<(usize, usize)>,
    data_relocations: Vec<(usize, usize)>,
}

/// What is needed by these exports and by no other, without the constants that are in `elsewhere`.
pub(crate) fn only_from(wasm: &[u8], later: &[String], elsewhere: &[Range<u32>]) -> Result<Apart> {
    let linked = read(wasm)?;
    let graph = linked.graph()?;
    for name in later {
        ensure!(linked.exports.iter().any(|(export, _)| is_called(export, name)), "there is no export {name}");
    }
    let (second, first): (Vec<_>, Vec<_>) =
        linked.exports.iter().partition(|(export, _)| later.iter().any(|name| is_called(export, name)));
    let roots =
        |exports: Vec<&(&str, u32)>| exports.into_iter().map(|(_, index)| Node::Function(*index)).collect::<Vec<_>>();
    let mut early = roots(first);
    early.extend(linked.start.map(Node::Function));
    early.extend(graph.get(&None).into_iter().flatten());
    let early = reach(&graph, early);
    let late = reach(&graph, roots(second));
    let mut apart = Apart::default();
    let mut data = Vec::new();
    for node in late.difference(&early) {
        match node {
            Node::Function(index) => {
                let name = linked.names.get(index).context("a function has no name: keep the name section")?;
                apart.functions.insert((*name).to_owned());
            }
            Node::Data(symbol) => {
                let (address, length) = linked.data[symbol];
                data.push(address..address + length);
            }
        }
    }
    // Symbols may lie over each other.
    let shared = early.iter().filter_map(|node| match node {
        Node::Data(symbol) => linked.data.get(symbol).map(|(address, length)| *address..address + length),
        Node::Function(_) => None,
    });
    apart.data = without(data, &shared.chain(elsewhere.iter().cloned()).collect::<Vec<_>>());
    Ok(apart)
}

/// Before the generator has seen it, an export's name ends with a number of the crate.
fn is_called(export: &str, name: &str) -> bool {
    export.strip_prefix(name).is_some_and(|rest| {
        rest.strip_prefix('_').is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// Joined and in order, and without those that share a byte with one of `others`.
fn without(mut ranges: Vec<Range<u32>>, others: &[Range<u32>]) -> Vec<Range<u32>> {
    ranges.retain(|one| !others.iter().any(|other| one.start < other.end && other.start < one.end));
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u32>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

type Graph = HashMap<Option<Node>, Vec<Node>>;

fn reach(graph: &Graph, roots: Vec<Node>) -> HashSet<Node> {
    let mut seen: HashSet<Node> = HashSet::new();
    let mut open = roots;
    while let Some(node) = open.pop() {
        if seen.insert(node) {
            open.extend(graph.get(&Some(node)).into_iter().flatten());
        }
    }
    seen
}

impl Linked<'_> {
    /// What each symbol stands for.
    fn name_symbols(&mut self, symbols: &[SymbolInfo<'_>]) -> Result<()> {
        for (number, symbol) in symbols.iter().enumerate() {
            self.symbols.push(match symbol {
                SymbolInfo::Func { index, .. } => Some(Node::Function(*index)),
                SymbolInfo::Data { symbol: Some(place), .. } => {
                    let (_, address) = self.segments.get(place.index as usize).context("a symbol of no segment")?;
                    self.data.insert(number, (address + place.offset, place.size));
                    Some(Node::Data(number))
                }
                _ => None,
            });
        }
        Ok(())
    }

    /// What each refers to; by `None`, what no known symbol refers to.
    fn graph(&self) -> Result<Graph> {
        let mut graph = Graph::new();
        for (offset, symbol) in &self.code_relocations {
            let body = self.bodies.partition_point(|body| body.end <= *offset);
            let within = self.bodies.get(body).is_some_and(|body| body.contains(offset));
            ensure!(within, "a relocation lies in no function");
            if let Some(to) = self.symbols.get(*symbol).context("a relocation without a symbol")? {
                graph.entry(Some(Node::Function(self.imported + body as u32))).or_default().push(*to);
            }
        }
        let mut places: Vec<(Range<u32>, usize)> =
            self.data.iter().map(|(symbol, (address, length))| (*address..address + length, *symbol)).collect();
        places.sort_by_key(|(range, _)| range.start);
        for (offset, symbol) in &self.data_relocations {
            let (bytes, address) = self
                .segments
                .iter()
                .find(|(bytes, _)| bytes.contains(offset))
                .context("a relocation lies in no segment")?;
            let at = address + (offset - bytes.start) as u32;
            let Some(to) = self.symbols.get(*symbol).context("a relocation without a symbol")? else { continue };
            let mut from: Vec<Option<Node>> = places
                .iter()
                .filter(|(range, _)| range.contains(&at))
                .map(|(_, symbol)| Some(Node::Data(*symbol)))
                .collect();
            if from.is_empty() {
                from.push(None);
            }
            for from in from {
                graph.entry(from).or_default().push(*to);
            }
        }
        Ok(graph)
    }
}

fn read(wasm: &[u8]) -> Result<Linked<'_>> {
    let mut linked = Linked::default();
    let mut code_start = 0;
    let (mut sections, mut code_section, mut data_section) = (0_u32, None, None);
    let mut relocations = Vec::new();
    let mut data_symbols = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let is_section = payload.as_section().is_some();
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    linked.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        linked.exports.push((export.name, export.index));
                    }
                }
            }
            Payload::StartSection { func, .. } => linked.start = Some(func),
            Payload::CodeSectionStart { range, .. } => (code_start, code_section) = (range.start, Some(sections)),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                linked.bodies.push(range.start - code_start..range.end - code_start);
                // It is no section of its own.
                continue;
            }
            Payload::DataSection(segments) => {
                let start = segments.range().start;
                data_section = Some(sections);
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else {
                        bail!("a segment of data is not active")
                    };
                    let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                        bail!("a segment of data has no constant address")
                    };
                    let end = segment.range.end - start;
                    linked.segments.push((end - segment.data.len()..end, value as u32));
                }
            }
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Linking(reader) => {
                    for entry in reader.subsections() {
                        let Linking::SymbolTable(symbols) = entry? else { continue };
                        for symbol in symbols {
                            data_symbols.push(symbol?);
                        }
                    }
                }
                KnownCustom::Reloc(reader) => relocations.push((reader.section_index(), reader)),
                KnownCustom::Name(names) => {
                    for names in names {
                        if let wasmparser::Name::Function(names) = names? {
                            for name in names {
                                let name = name?;
                                linked.names.insert(name.index, name.name);
                            }
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
        sections += u32::from(is_section);
    }
    ensure!(
        !data_symbols.is_empty() && relocations.len() >= 2,
        "the module has no relocations: link it with --emit-relocs"
    );
    linked.name_symbols(&data_symbols)?;
    for (section, reader) in relocations {
        let list = if Some(section) == code_section {
            &mut linked.code_relocations
        } else if Some(section) == data_section {
            &mut linked.data_relocations
        } else {
            continue;
        };
        for entry in reader.entries() {
            let entry = entry?;
            // Its number is a type's, not a symbol's.
            if entry.ty != RelocationType::TypeIndexLeb {
                list.push((entry.offset as usize, entry.index as usize));
            }
        }
    }
    Ok(linked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_that_others_need_stay_and_the_rest_is_joined() {
        let apart = without(vec![20..30, 0..4, 4..8, 40..44, 8..10], &[25..26, 44..50]);
        assert_eq!(apart, [0..10, 40..44]);
    }

    #[test]
    fn an_export_is_known_before_the_generator_has_seen_it() {
        assert!(is_called("rawvideo_serve_2638797ec6ecaf81", "rawvideo_serve"));
        assert!(!is_called("rawvideo_serve_more_2638797ec6ecaf81", "rawvideo_serve"));
        assert!(!is_called("rawvideo_serve", "rawvideo_serve"));
    }
}
