//! A module in two parts that share memory, table and globals, so that they are one program with one state.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use walrus::ir::{Value, Visitor, dfs_in_order};
use walrus::{
    ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Export, ExportItem, Function, FunctionBuilder,
    FunctionId, FunctionKind, Global, GlobalKind, ImportedFunction, Memory, Module, Table, TableId,
};

use crate::names::Names;
use crate::reachable::Apart;

/// The module that the second part imports the first one's functions from.
const FIRST: &str = "b";

/// Splits the module of `parse` in two: what is in it without these exports, and these exports with all that only they need, which
/// imports the rest. Functions and all else have the same numbers whenever the module is read.
///
/// The parts of another build cannot be linked: the memory is called by the name of this one.
pub(crate) fn split(
    parse: &dyn Fn() -> Result<Module>,
    apart: &Apart,
    later: &[String],
    names: &mut Names,
    build: &str,
) -> Result<(Module, Module)> {
    let (mut first, mut more) = (parse()?, parse()?);
    let functions = functions_apart(&first, apart, later)?;
    let goes = |export: &Export| matches!(export.item, ExportItem::Function(function) if functions.contains(&function.index()));
    let slots = slots(&more)?;

    // The second part: its exports, its slots of the table and its constants.
    let leave: Vec<_> =
        more.exports.iter().filter(|export| !goes(export)).map(|export| (export.id(), export.clone())).collect();
    let mut given: Vec<(String, Given)> = Vec::new();
    let mut give = |item: Given| {
        let known = leave.iter().find(|(_, export)| Given::of(export.item) == Some(item));
        let short = known.map_or_else(|| names.fresh(), |(_, export)| export.name.clone());
        given.push((short.clone(), item));
        short
    };
    for function in borrowed(&more, &functions) {
        let import = more.imports.add(FIRST, &give(Given::Function(function.index())), function);
        let function = more.funcs.get_mut(function);
        let ty = function.ty();
        function.kind = FunctionKind::Import(ImportedFunction { import, ty });
    }
    for global in more.globals.iter().map(Global::id).collect::<Vec<_>>() {
        let import = more.imports.add(FIRST, &give(Given::Global(global.index())), global);
        more.globals.get_mut(global).kind = GlobalKind::Import(import);
    }
    for table in more.tables.iter().map(Table::id).collect::<Vec<_>>() {
        let import = more.imports.add(FIRST, &give(Given::Table(table.index())), table);
        more.tables.get_mut(table).import = Some(import);
    }
    let memory = only(more.memories.iter().map(Memory::id))?;
    let import = more.imports.add(FIRST, build, memory);
    given.push((build.to_owned(), Given::Memory));
    more.memories.get_mut(memory).import = Some(import);
    for (export, _) in &leave {
        more.exports.delete(*export);
    }
    more.start = None;
    for element in more.elements.iter().map(Element::id).collect::<Vec<_>>() {
        more.elements.delete(element);
    }
    let table = more.tables.get_mut(slots.table);
    table.elem_segments.clear();
    for (offset, functions) in runs(&slots.functions, &functions) {
        let kind =
            ElementKind::Active { table: slots.table, offset: ConstExpr::Value(Value::I32(offset.cast_signed())) };
        table.elem_segments.insert(more.elements.add(kind, ElementItems::Functions(functions)));
    }
    constants(&mut first, &mut more, apart)?;
    walrus::passes::gc::run(&mut more);

    // The first part: without those, and with what the second still imports.
    for export in first.exports.iter().filter(|export| goes(export)).map(Export::id).collect::<Vec<_>>() {
        first.exports.delete(export);
    }
    let wanted: HashSet<&str> =
        more.imports.iter().filter(|import| import.module == FIRST).map(|import| import.name.as_str()).collect();
    let has: HashSet<String> = first.exports.iter().map(|export| export.name.clone()).collect();
    for (short, item) in given.iter().filter(|(short, _)| wanted.contains(short.as_str()) && !has.contains(short)) {
        first.exports.add(short, item.find(&first)?);
    }
    // What is not there yet must not be called: the package loads the second part first.
    let mut builder = FunctionBuilder::new(&mut first.types, &[], &[]);
    builder.func_body().unreachable();
    let missing = builder.finish(Vec::new(), &mut first.funcs);
    for element in first.elements.iter_mut() {
        let ElementItems::Functions(list) = &mut element.items else { continue };
        for function in list.iter_mut().filter(|function| functions.contains(&function.index())) {
            *function = missing;
        }
    }
    walrus::passes::gc::run(&mut first);
    Ok((first, more))
}

/// What the second part takes from the first, by its number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Function(usize),
    Global(usize),
    Table(usize),
    Memory,
}

impl Given {
    fn of(item: ExportItem) -> Option<Self> {
        match item {
            ExportItem::Function(id) => Some(Self::Function(id.index())),
            ExportItem::Global(id) => Some(Self::Global(id.index())),
            ExportItem::Table(id) => Some(Self::Table(id.index())),
            _ => None,
        }
    }

    fn find(self, module: &Module) -> Result<ExportItem> {
        let item = match self {
            Self::Function(number) => {
                module.funcs.iter().map(Function::id).find(|id| id.index() == number).map(Into::into)
            }
            Self::Global(number) => {
                module.globals.iter().map(Global::id).find(|id| id.index() == number).map(Into::into)
            }
            Self::Table(number) => module.tables.iter().map(Table::id).find(|id| id.index() == number).map(Into::into),
            Self::Memory => Some(only(module.memories.iter().map(Memory::id))?.into()),
        };
        item.context("what the second part imports is not in the first")
    }
}

/// The numbers of the functions that only the exports of the second part need.
fn functions_apart(module: &Module, apart: &Apart, later: &[String]) -> Result<HashSet<usize>> {
    let named = |function: FunctionId| {
        module.funcs.get(function).name.as_ref().is_some_and(|name| apart.functions.contains(name))
    };
    let mut open: Vec<FunctionId> = module.start.into_iter().collect();
    for export in module.exports.iter() {
        if let ExportItem::Function(function) = export.item
            && !later.contains(&export.name)
            // What a part that was split off before needs of this one.
            && !named(function)
        {
            open.push(function);
        }
    }
    for element in module.elements.iter() {
        let ElementItems::Functions(functions) = &element.items else { bail!("a table is not made of functions") };
        open.extend(functions.iter().filter(|function| !named(**function)));
    }
    let mut early = HashSet::new();
    while let Some(function) = open.pop() {
        if early.insert(function) {
            ensure!(!named(function), "the first part needs {:?}", module.funcs.get(function).name);
            open.extend(calls(module, function));
        }
    }
    Ok(module.funcs.iter_local().map(|(id, _)| id).filter(|id| !early.contains(id)).map(|id| id.index()).collect())
}

/// What a function calls or takes the address of.
fn calls(module: &Module, function: FunctionId) -> Vec<FunctionId> {
    struct Calls(Vec<FunctionId>);
    impl Visitor<'_> for Calls {
        fn visit_function_id(&mut self, function: &FunctionId) {
            self.0.push(*function);
        }
    }
    let mut calls = Calls(Vec::new());
    if let FunctionKind::Local(local) = &module.funcs.get(function).kind {
        dfs_in_order(&mut calls, local, local.entry_block());
    }
    calls.0
}

/// The functions of the first part that the second calls, in order.
fn borrowed(module: &Module, apart: &HashSet<usize>) -> Vec<FunctionId> {
    let all = module.funcs.iter_local().map(|(id, _)| id).filter(|id| apart.contains(&id.index()));
    let mut functions: Vec<FunctionId> = all.flat_map(|function| calls(module, function)).collect();
    functions.retain(|function| {
        !apart.contains(&function.index()) && matches!(module.funcs.get(*function).kind, FunctionKind::Local(_))
    });
    functions.sort();
    functions.dedup();
    functions
}

struct Slots {
    table: TableId,
    functions: BTreeMap<u32, FunctionId>,
}

/// What is where in the function table.
fn slots(module: &Module) -> Result<Slots> {
    let table = module.tables.main_function_table()?.ok_or_else(|| anyhow::anyhow!("there is no function table"))?;
    let mut functions = BTreeMap::new();
    for element in module.elements.iter() {
        let (
            ElementKind::Active { table: of, offset: ConstExpr::Value(Value::I32(offset)) },
            ElementItems::Functions(list),
        ) = (&element.kind, &element.items)
        else {
            bail!("a table is filled in another way than with functions at a constant place")
        };
        ensure!(*of == table, "there is more than one table of functions");
        functions.extend((offset.cast_unsigned()..).zip(list.iter().copied()));
    }
    Ok(Slots { table, functions })
}

/// The slots of these functions, joined where they are beside each other.
fn runs(slots: &BTreeMap<u32, FunctionId>, functions: &HashSet<usize>) -> Vec<(u32, Vec<FunctionId>)> {
    let mut runs: Vec<(u32, Vec<FunctionId>)> = Vec::new();
    for (slot, function) in slots.iter().filter(|(_, function)| functions.contains(&function.index())) {
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() as u32 == *slot => run.push(*function),
            _ => runs.push((*slot, vec![*function])),
        }
    }
    runs
}

/// Moves constants from the first part to the second. Where they were are zeros, which need no place in the file.
fn constants(first: &mut Module, more: &mut Module, apart: &Apart) -> Result<()> {
    let all: Vec<_> = more.data.iter().map(Data::id).collect();
    for data in all {
        more.data.delete(data);
    }
    let memory = only(more.memories.iter().map(Memory::id))?;
    more.memories.get_mut(memory).data_segments.clear();
    let all: Vec<_> = first.data.iter().map(Data::id).collect();
    for data in all {
        let data = first.data.get_mut(data);
        let DataKind::Active { offset: ConstExpr::Value(Value::I32(offset)), .. } = data.kind else {
            bail!("data is placed in another way than at a constant address")
        };
        let (begin, end) = (offset.cast_unsigned(), offset.cast_unsigned() + data.value.len() as u32);
        for range in apart.data.iter().filter(|range| begin <= range.start && range.end <= end) {
            let part = &mut data.value[(range.start - begin) as usize..(range.end - begin) as usize];
            let offset = ConstExpr::Value(Value::I32(range.start.cast_signed()));
            let added = more.data.add(DataKind::Active { memory, offset }, part.to_vec());
            more.memories.get_mut(memory).data_segments.insert(added);
            part.fill(0);
        }
    }
    Ok(())
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Result<T> {
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        _ => bail!("there is not exactly one memory"),
    }
}
