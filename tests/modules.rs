//! Checks that the imports between the modules of the library, and of the program, have no cycle.

// clippy.toml allows these in tests, but not in the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};

/// For each module, by its path within the crate such as `cli::commands::list`, the modules that it uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn finds_no_import_cycle_in_the_library() {
    let graph = graph("src/lib.rs");
    assert!(
        graph["client"].contains("http") && graph["config::api_key"].contains("config::invalid"),
        "{graph:#?}"
    );
    assert_eq!(cycle(&graph), None, "{graph:#?}");
}

#[test]
fn finds_no_import_cycle_in_the_program() {
    let graph = graph("src/main.rs");
    assert!(graph["cli::commands::list"].contains("cli::session"), "{graph:#?}");
    assert!(graph["cli"].contains("cli::commands::list"), "{graph:#?}");
    assert_eq!(cycle(&graph), None, "{graph:#?}");
}

#[test]
fn finds_a_cycle() {
    let edges = |pairs: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in pairs {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(cycle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = cycle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap();
    assert_eq!(found, ["b", "c", "b"]);
}

/// Returns a cycle, from a module back to itself.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn search(graph: &Graph, trail: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let module = trail.last().unwrap().clone();
        for next in graph.get(&module).into_iter().flatten() {
            if let Some(start) = trail.iter().position(|known| known == next) {
                trail.drain(..start);
                trail.push(next.clone());
                return true;
            }
            trail.push(next.clone());
            if !done.contains(next) && search(graph, trail, done) {
                return true;
            }
            trail.pop();
        }
        done.insert(module);
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|module| {
        let mut trail = vec![module.clone()];
        search(graph, &mut trail, &mut done).then_some(trail)
    })
}

/// Reads the modules of the crate with this root.
fn graph(root: &str) -> Graph {
    let mut modules = BTreeMap::new();
    read(Path::new(root), "", &mut modules);
    // A name that the root re-exports stands for the module that defines it.
    let mut exported = BTreeMap::new();
    for item in &modules[""].items {
        if let syn::Item::Use(item) = item {
            let mut paths = Vec::new();
            flatten(&item.tree, Vec::new(), &mut paths);
            exported.extend(paths.into_iter().map(|path| (path.last().unwrap().clone(), path)));
        }
    }
    let names: BTreeSet<&String> = modules.keys().collect();
    let mut graph = Graph::new();
    for (module, file) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        let mut uses = Uses::default();
        uses.visit_file(file);
        let used = uses.paths.iter().filter_map(|path| resolve(module, path, &names, &exported));
        graph.insert(module.clone(), used.filter(|used| used != module).collect());
    }
    graph
}

/// Parses a module's file and those of its children.
fn read(file: &Path, module: &str, modules: &mut BTreeMap<String, syn::File>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let parsed = syn::parse_file(&text).unwrap();
    let stem = file.file_stem().unwrap();
    let folder = match ["lib", "main", "mod"].iter().any(|root| stem == *root) {
        true => file.parent().unwrap().to_owned(),
        false => file.with_extension(""),
    };
    for item in &parsed.items {
        if let syn::Item::Mod(child) = item {
            if child.content.is_some() || is_for_tests(child) {
                continue;
            }
            let name = child.ident.to_string();
            let path = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
            let beside = folder.join(format!("{name}.rs"));
            let file = if beside.exists() { beside } else { folder.join(name).join("mod.rs") };
            read(&file, &path, modules);
        }
    }
    modules.insert(module.to_owned(), parsed);
}

/// Reports whether a module is compiled only for tests, which may import from anywhere.
fn is_for_tests(module: &syn::ItemMod) -> bool {
    let is_test =
        |attribute: &syn::Attribute| attribute.parse_args().is_ok_and(|name: syn::Ident| name == "test");
    module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg") && is_test(attribute))
}

/// Returns the module that a path in `module` names, if it is in this crate.
fn resolve(
    module: &str,
    path: &[String],
    names: &BTreeSet<&String>,
    exported: &BTreeMap<String, Vec<String>>,
) -> Option<String> {
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let (mut at, rest): (Vec<&str>, &[&str]) = match segments.first()? {
        &"crate" => match exported.get(*segments.get(1)?) {
            Some(path) => (path.iter().map(String::as_str).collect(), &[]),
            None => (Vec::new(), &segments[1..]),
        },
        &"super" => {
            let ups = segments.iter().take_while(|segment| **segment == "super").count();
            let levels: Vec<&str> = module.split("::").collect();
            (levels[..levels.len() - ups].to_vec(), &segments[ups..])
        }
        // A child module, or a name from elsewhere.
        child => {
            let child = format!("{module}::{child}");
            names.contains(&child).then_some(())?;
            (module.split("::").collect(), &segments[..])
        }
    };
    at.extend(rest);
    // The longest part of the path that is a module is the module. The rest is an item in it.
    (1..=at.len()).rev().map(|length| at[..length].join("::")).find(|part| names.contains(part))
}

/// Collects the paths in a file, except for those in unit tests.
#[derive(Default)]
struct Uses {
    paths: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, Vec::new(), &mut self.paths);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// Writes out each path of a `use` tree.
fn flatten(tree: &syn::UseTree, mut start: Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            start.push(path.ident.to_string());
            flatten(&path.tree, start, paths);
        }
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, start.clone(), paths));
        }
        syn::UseTree::Name(name) => {
            if name.ident != "self" {
                start.push(name.ident.to_string());
            }
            paths.push(start);
        }
        syn::UseTree::Rename(rename) => {
            start.push(rename.ident.to_string());
            paths.push(start);
        }
        syn::UseTree::Glob(_) => paths.push(start),
    }
}
