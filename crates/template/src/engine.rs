//! A set of templates.

use std::{collections::HashMap, sync::Arc};

use bytestring::ByteString;
use gitops_core::Scope;

use crate::{
    Context, Error, Functions, Host, Limits, Value,
    ast::{Source, Tree},
    exec::{self, Operand},
    parser,
};

/// What a key gives that a map has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// Nothing, which prints as `<no value>`.
    #[default]
    Invalid,
    /// The zero value of the map's elements.
    Zero,
    /// An error.
    Error,
}

/// How templates run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What a run may cost.
    pub limits: Limits,
    /// What a key gives that a map has not.
    pub missing: MissingKey,
    /// `helm lint`: `required` and `fail` let a template pass.
    pub lint: bool,
}

/// Parsed templates that know each other by name. They are immutable while they run and can be
/// shared between threads.
#[derive(Clone, Debug)]
pub struct Templates {
    functions: Arc<Functions>,
    layer: Arc<Layer>,
}

/// Templates by name, over others.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    own: HashMap<Arc<str>, Arc<Tree>>,
    under: Option<Arc<Self>>,
}

impl Layer {
    pub(crate) fn of(trees: &[Arc<Tree>]) -> Self {
        let own = trees.iter().map(|tree| (Arc::clone(&tree.name), Arc::clone(tree))).collect();
        Self { own, under: None }
    }

    fn get(&self, name: &str) -> Option<&Arc<Tree>> {
        let mut layer = self;
        loop {
            if let Some(tree) = layer.own.get(name) {
                return Some(tree);
            }
            layer = layer.under.as_deref()?;
        }
    }
}

/// A text that was parsed to be run at once.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) main: Arc<Tree>,
    pub(crate) definitions: Vec<Arc<Tree>>,
}

impl Templates {
    /// No templates yet, which may call these functions.
    pub fn new(functions: Functions) -> Self {
        Self { functions: Arc::new(functions), layer: Arc::default() }
    }

    /// Parses a text under a name, and adds it and what it defines. A name that is there already is
    /// replaced, unless the new template is blank.
    ///
    /// # Errors
    /// If it cannot be parsed; then nothing is added.
    pub fn add(&mut self, name: &str, text: impl Into<ByteString>) -> Result<(), Error> {
        let source = Arc::new(Source { name: name.into(), text: text.into() });
        let trees = parser::parse(&source, &self.functions)?;
        if Arc::get_mut(&mut self.layer).is_none() {
            // Others hold the templates as they were.
            self.layer =
                Arc::new(Layer { own: HashMap::new(), under: Some(Arc::clone(&self.layer)) });
        }
        let known: Vec<bool> =
            trees.iter().map(|tree| self.layer.get(&tree.name).is_some()).collect();
        if let Some(layer) = Arc::get_mut(&mut self.layer) {
            for (tree, known) in trees.into_iter().zip(known) {
                if !(known && tree.is_blank()) {
                    layer.own.insert(Arc::clone(&tree.name), Arc::new(tree));
                }
            }
        }
        Ok(())
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.layer.get(name).is_some()
    }

    /// Runs a template and gives its text.
    ///
    /// # Errors
    /// If there is no such template, an action fails, a limit is reached or the scope is cancelled.
    pub fn render(
        &self,
        name: &str,
        dot: Value,
        options: Options,
        host: &dyn Host,
        scope: &Scope,
    ) -> Result<String, Error> {
        Context::new(self.clone(), options, host, scope).render(name, dot)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Tree>> {
        self.layer.get(name).cloned()
    }

    /// These templates with others over them.
    pub(crate) fn layered(&self, over: Layer) -> Self {
        let layer = Layer { own: over.own, under: Some(Arc::clone(&self.layer)) };
        Self { functions: Arc::clone(&self.functions), layer: Arc::new(layer) }
    }

    /// Parses a text that is no template of the set.
    pub(crate) fn parse(&self, name: &str, text: &str) -> Result<Parsed, Error> {
        let source = Arc::new(Source { name: name.into(), text: text.into() });
        let mut trees: Vec<Arc<Tree>> =
            parser::parse(&source, &self.functions)?.into_iter().map(Arc::new).collect();
        let main = trees.iter().position(|tree| *tree.name == *name);
        let main = trees.swap_remove(main.expect("a source holds itself"));
        let blank = |tree: &Arc<Tree>| tree.is_blank() && self.contains(&tree.name);
        trees.retain(|tree| !blank(tree));
        Ok(Parsed { main, definitions: trees })
    }
}

impl Context<'_> {
    /// Runs a template of the set within this run, whose limits go on.
    ///
    /// # Errors
    /// As [`Templates::render`].
    pub fn render(&mut self, name: &str, dot: Value) -> Result<String, Error> {
        let Some(tree) = self.templates.get(name) else {
            let name = crate::quote::quoted(name);
            let message =
                format!("template: no template {name} associated with template \"gotpl\"");
            return Err(Error::exec(crate::ErrorKind::Exec, message));
        };
        if let Some(trace) = &mut self.trace {
            trace.reset();
        }
        self.separately(|context, out| exec::run(context, &tree, Operand::plain(dot), out))
    }
}
