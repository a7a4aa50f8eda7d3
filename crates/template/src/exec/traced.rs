//! What a run tells its trace, if it has one.

use super::State;
use crate::{
    Context, Map, Text,
    ast::{Id, NodeRef, Statement},
    trace::Opened,
};

impl<'t> State<'_, 't, '_> {
    /// A statement begins.
    #[inline]
    pub(super) fn begin(&mut self) {
        if let Some(trace) = &mut self.context.trace {
            trace.begin();
        }
    }

    /// A statement that began is done.
    #[inline]
    pub(super) fn wrote(&mut self, statement: &'t Statement) {
        if self.context.trace.is_some() {
            self.note_written(statement);
        }
    }

    #[cold]
    fn note_written(&mut self, statement: &'t Statement) {
        if let Some(trace) = &mut self.context.trace {
            let node = NodeRef::Statement(statement);
            let printed = node.printed(self.arena, &self.tree.source.text).to_string();
            trace.wrote(self.tree, node.at(self.arena), printed, self.out.len());
        }
    }

    /// A statement that began goes on with what stands in it.
    #[inline]
    pub(super) fn enter(&mut self, statement: &'t Statement) {
        if self.context.trace.is_some() {
            self.note_entered(statement);
        }
    }

    #[cold]
    fn note_entered(&mut self, statement: &'t Statement) {
        if let Some(trace) = &mut self.context.trace {
            let node = NodeRef::Statement(statement);
            let head = node.head(self.arena, &self.tree.source.text).to_string();
            let calls = matches!(statement, Statement::Template(_));
            trace.enter(self.tree, node.at(self.arena), head, calls);
        }
    }

    /// What stands in a statement is done.
    #[inline]
    pub(super) fn leave(&mut self) {
        if let Some(trace) = &mut self.context.trace {
            trace.leave();
        }
    }

    #[inline]
    pub(super) fn assigned(&mut self, variable: Id<Text>) {
        if let Some(trace) = &mut self.context.trace {
            trace.assigned(variable);
        }
    }

    #[inline]
    pub(super) fn used(&mut self, variable: Id<Text>) {
        if let Some(trace) = &mut self.context.trace {
            trace.used(variable);
        }
    }

    #[inline]
    pub(super) fn read(&mut self, map: &Map, key: &str) {
        if let Some(trace) = &mut self.context.trace {
            trace.read(map, key);
        }
    }
}

impl Context<'_> {
    /// Runs what adds a text of its own to another.
    pub(crate) fn apart<E>(
        &mut self,
        out: &mut String,
        run: impl FnOnce(&mut Self, &mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.trace.is_some() {
            return self.separately(run, |text| out.push_str(text));
        }
        run(self, out)
    }

    /// Runs what writes a text of its own, and makes what is wanted of that text.
    pub(crate) fn separately<T, E>(
        &mut self,
        run: impl FnOnce(&mut Self, &mut String) -> Result<(), E>,
        make: impl FnOnce(&mut String) -> T,
    ) -> Result<T, E> {
        let opened: Option<Opened> = self.trace.as_mut().map(|trace| trace.open());
        self.buffered(|context, out| {
            run(context, out)?;
            if let (Some(trace), Some(opened)) = (&mut context.trace, opened) {
                trace.close(opened, out);
            }
            Ok(make(out))
        })
    }
}
