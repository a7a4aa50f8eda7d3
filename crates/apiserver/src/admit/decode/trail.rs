//! Where in an object a walk stands, kept on the walk's own stack.

use std::fmt::Write as _;

use crate::schema::Field;

/// A step from the surrounding object or list into a value.
#[derive(Clone, Copy)]
pub(super) enum Step<'t> {
    Root,
    Field(&'t Field),
    Key(&'t str),
    Index(usize),
}

#[derive(Clone, Copy)]
pub(super) struct Trail<'t> {
    parent: Option<&'t Self>,
    step: Step<'t>,
    pub(super) depth: usize,
}

impl<'t> Trail<'t> {
    pub(super) const ROOT: Self = Self { parent: None, step: Step::Root, depth: 0 };

    pub(super) fn then(&'t self, step: Step<'t>) -> Self {
        Trail { parent: Some(self), step, depth: self.depth + 1 }
    }

    /// `spec.containers[0].env`, as warnings write paths.
    pub(super) fn path(&self, last: &str) -> String {
        let mut out = String::new();
        self.write(&mut out);
        push(&mut out, last);
        out
    }

    /// `spec.containers.ProbeHandler.httpGet`, as the decoder's errors write them: embedded structs
    /// appear, keys and indices do not.
    pub(super) fn go_path(&self) -> String {
        let mut out = String::new();
        self.write_go(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
        }
        match self.step {
            Step::Root => {}
            Step::Field(field) => push(out, &field.name),
            Step::Key(key) => push(out, key),
            Step::Index(index) => {
                let _ = write!(out, "[{index}]");
            }
        }
    }

    fn write_go(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write_go(out);
        }
        if let Step::Field(field) = self.step {
            if !field.within.is_empty() {
                push(out, &field.within);
            }
            push(out, &field.name);
        }
    }
}

fn push(out: &mut String, name: &str) {
    if !out.is_empty() && !name.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}
