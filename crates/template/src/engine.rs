//! A set of templates.

use std::sync::Arc;

use bytestring::ByteString;
use gitops_core::Scope;

use crate::{
    Context, Error, Functions, Host, Limits, Text, Value,
    ast::{Arena, Source, Table, Tree},
    exec::{self, Operand},
    parser::{self, Scratch},
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
#[derive(Clone, Debug, Default)]
pub struct Templates {
    functions: Arc<Functions>,
    layer: Arc<Layer>,
    scratch: Scratch,
}

/// Templates by name, over others.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) arena: Arena,
    trees: Vec<Tree>,
    own: Table<Text, Named>,
    under: Option<Arc<Self>>,
    /// How many names it has, with those under it.
    names: usize,
}

/// A tree that is known by its name.
#[derive(Clone, Copy, Debug)]
struct Named {
    tree: usize,
    /// The number of the name, which those over it share.
    number: usize,
}

impl Layer {
    fn over(under: &Arc<Self>) -> Self {
        Self { under: Some(Arc::clone(under)), names: under.names, ..Self::default() }
    }

    fn holding(self: &Arc<Self>, name: &str) -> Option<(&Arc<Self>, Named)> {
        let mut layer = self;
        loop {
            if let Some(named) = layer.own.get(name) {
                return Some((layer, *named));
            }
            layer = layer.under.as_ref()?;
        }
    }

    /// The number of a name that is known.
    fn number(&self, name: &str) -> Option<usize> {
        let under = || Some(self.under.as_ref()?.holding(name)?.1.number);
        self.own.get(name).map(|named| named.number).or_else(under)
    }

    /// Makes a tree known by its name. A blank one takes nobody's place.
    fn insert(&mut self, tree: Tree) {
        let known = self.number(&tree.name);
        if known.is_some() && tree.is_blank(&self.arena) {
            return;
        }
        let number = known.unwrap_or(self.names);
        self.names = self.names.max(number + 1);
        let name = tree.name.clone();
        let tree = self.add(tree);
        self.own.insert(name, Named { tree, number });
    }

    fn add(&mut self, tree: Tree) -> usize {
        self.trees.push(tree);
        self.trees.len() - 1
    }
}

/// A tree that can be run, with the layer in which it is.
#[derive(Clone, Debug)]
pub(crate) struct Runnable {
    layer: Arc<Layer>,
    tree: usize,
}

impl Runnable {
    /// The nodes of the tree.
    pub(crate) fn arena(&self) -> &Arena {
        &self.layer.arena
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.layer.trees[self.tree]
    }
}

/// A text that was parsed to be run at once.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) main: Runnable,
    /// Whether it defines templates, which its layer has.
    pub(crate) defines: bool,
}

impl Templates {
    /// No templates yet, which may call these functions.
    pub fn new(functions: impl Into<Arc<Functions>>) -> Self {
        Self { functions: functions.into(), ..Self::default() }
    }

    /// Makes room for texts of so many bytes, which are added later.
    pub fn reserve(&mut self, bytes: usize) {
        if let Some(layer) = Arc::get_mut(&mut self.layer) {
            layer.arena.reserve(bytes);
        }
    }

    /// Parses a text under a name, and adds it and what it defines. A name that is there already is
    /// replaced, unless the new template is blank.
    ///
    /// # Errors
    /// If it cannot be parsed; then nothing is added.
    pub fn add(&mut self, name: impl Into<Text>, text: impl Into<ByteString>) -> Result<(), Error> {
        let source = Arc::new(Source { name: name.into(), text: text.into() });
        if Arc::get_mut(&mut self.layer).is_none() {
            // Others hold the templates as they were.
            self.layer = Arc::new(Layer::over(&self.layer));
        }
        if let Some(layer) = Arc::get_mut(&mut self.layer) {
            let Self { functions, scratch, .. } = self;
            for tree in parser::parse(&source, functions, scratch, &mut layer.arena)? {
                layer.insert(tree);
            }
        }
        Ok(())
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.layer.number(name).is_some()
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

    pub(crate) fn get(&self, name: &str) -> Option<Runnable> {
        self.numbered(name).map(|(template, _)| template)
    }

    /// A template, and the number of its name.
    pub(crate) fn numbered(&self, name: &str) -> Option<(Runnable, usize)> {
        let (layer, Named { tree, number }) = self.layer.holding(name)?;
        Some((Runnable { layer: Arc::clone(layer), tree }, number))
    }

    /// These templates with those of a parsed text over them.
    pub(crate) fn under(&mut self, parsed: &Parsed) -> Arc<Layer> {
        std::mem::replace(&mut self.layer, Arc::clone(&parsed.main.layer))
    }

    /// Goes back to what [`Templates::under`] gave.
    pub(crate) fn restore(&mut self, layer: Arc<Layer>) {
        self.layer = layer;
    }

    /// Parses a text that is no template of the set.
    pub(crate) fn parse(&mut self, name: &str, text: &str) -> Result<Parsed, Error> {
        let mut layer = Layer::over(&self.layer);
        let source = Arc::new(Source { name: name.into(), text: text.into() });
        let trees = parser::parse(&source, &self.functions, &mut self.scratch, &mut layer.arena)?;
        let mut main = None;
        for tree in trees {
            if *tree.name == *name {
                main = Some(tree);
            } else {
                layer.insert(tree);
            }
        }
        let tree = layer.add(main.expect("a source holds itself"));
        let defines = !layer.own.is_empty();
        Ok(Parsed { main: Runnable { layer: Arc::new(layer), tree }, defines })
    }
}

/// A text of so many bytes is handed on with its buffer. Shorter ones are copied, which costs less than
/// another buffer that grows.
const LARGE: usize = 128 << 10;

impl Context<'_> {
    /// Runs a template of the set within this run, whose limits go on.
    ///
    /// # Errors
    /// As [`Templates::render`].
    pub fn render(&mut self, name: &str, dot: Value) -> Result<String, Error> {
        let Some(template) = self.templates.get(name) else {
            let name = crate::quote::quoted(name);
            let message =
                format!("template: no template {name} associated with template \"gotpl\"");
            return Err(Error::exec(crate::ErrorKind::Exec, message));
        };
        if let Some(trace) = &mut self.trace {
            trace.reset();
        }
        let run = |context: &mut Self, out: &mut String| {
            exec::run(context, &template, Operand::plain(dot), out)
        };
        self.separately(run, |text| {
            if text.len() < LARGE {
                return text.clone();
            }
            let mut text = std::mem::take(text);
            text.shrink_to_fit();
            text
        })
    }
}
