//! One value into one field.

use gitops_yaml::{Content, Flavour, Node, Scalar, ScalarStyle, ScalarType, resolve};

use super::{
    super::field_path::{UNTYPED, look_up, split_path, visit, way},
    notes,
};
use crate::{
    error::{Error, ErrorKind, Result},
    file::FieldOptions,
};

/// The part of a value that the options name.
pub(super) fn refined(options: Option<&FieldOptions>, value: &Node) -> Result<Node> {
    let Some(options) = options else { return Ok(value.clone()) };
    let Some(text) = value.text() else { return Err(scalar_only()) };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|index| text.split(&options.delimiter).nth(index));
    match part {
        Some(part) => {
            let mut node = value.clone();
            set_keeping_type(&mut node, part)?;
            Ok(node)
        }
        None => Err(Error::new(
            ErrorKind::Reference,
            format!("options.index {} is out of bounds for value {text}", options.index),
        )
        .at_field("index")
        .at_field("options")
        .expecting("the number of a part of the value, counted from 0")),
    }
}

fn scalar_only() -> Error {
    Error::new(ErrorKind::Field, "delimiter option can only be used with scalar nodes")
}

pub(super) fn copy_to(
    object: &mut Node,
    path: &str,
    value: &Node,
    options: Option<&FieldOptions>,
) -> Result<()> {
    let parts = split_path(path);
    if copy_into_structured_text(object, &parts, value, options) {
        return Ok(());
    }
    let create = options.is_some_and(|options| options.create).then_some(value);
    let fail = |create: bool| {
        let verb = if create { "find or create" } else { "find" };
        format!("unable to {verb} field {path:?} in replacement target")
    };
    let mut found = 0;
    // Annotations become strings in the end, whatever they were.
    let annotation = parts.len() > 2 && parts[0] == "metadata" && parts[1] == "annotations";
    let walked = visit(object, &parts, create, &mut |node| {
        found += 1;
        if annotation
            && let Some(text) =
                node.as_scalar().filter(|scalar| scalar.style() != UNTYPED).map(Scalar::text)
        {
            *node = Node::string(text);
        }
        set_value(node, value, options)
    });
    match walked {
        Ok(()) if found == 0 => {
            Err(Error::new(ErrorKind::Reference, fail(create.is_some()))
                .with_hint(way(object, &parts)))
        }
        Err(error) if found == 0 => {
            Err(error.with_hint(way(object, &parts)).context(fail(create.is_some())))
        }
        other => other,
    }
}

fn set_value(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let text = part_replaced(field, value, options)?;
    match (field.as_scalar().is_some(), text) {
        (true, Some(text)) => set_keeping_type(field, &text),
        // Quirk: a mapping or list over a scalar leaves an empty text.
        (true, None) => set_keeping_type(field, ""),
        (false, Some(text)) => {
            let mut copy = value.clone();
            set_keeping_type(&mut copy, &text)?;
            *field = copy;
            Ok(())
        }
        (false, None) => {
            *field = value.clone();
            Ok(())
        }
    }
}

/// The text of the value, in the place of the part of the field's text that the options name.
fn part_replaced(
    field: &Node,
    value: &Node,
    options: Option<&FieldOptions>,
) -> Result<Option<String>> {
    let mut text = value.text().map(str::to_owned);
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let Some(old) = field.text() else { return Err(scalar_only()) };
        let new = text.as_deref().unwrap_or_default();
        let mut parts: Vec<&str> = old.split(&options.delimiter).collect();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, new),
            Ok(index) if index >= parts.len() => parts.push(new),
            Ok(index) => parts[index] = new,
        }
        text = Some(parts.join(&options.delimiter));
    }
    Ok(text)
}

/// Writes a text over a scalar. A string stays a string, whatever the text looks like; a number or
/// boolean must stay one.
fn set_keeping_type(node: &mut Node, text: &str) -> Result<()> {
    let Some(scalar) = node.as_scalar() else { return Ok(()) };
    let (kind, style) = (scalar.kind(), scalar.style());
    let read = resolve(text, Flavour::V3);
    if node.is_untyped() || (kind == ScalarType::Null && style == UNTYPED) {
        *node = Node::from(Scalar::new(text, read, ScalarStyle::Plain));
        node.mark_untyped();
        return Ok(());
    }
    let kind = match kind {
        ScalarType::Str | ScalarType::Merge => ScalarType::Str,
        ScalarType::Float if read == ScalarType::Int => ScalarType::Float,
        kind if kind == read => kind,
        _ if style != ScalarStyle::Plain => ScalarType::Str,
        kind => {
            let line = node.place().line();
            let name = match kind {
                ScalarType::Bool => "bool",
                ScalarType::Int => "int",
                ScalarType::Float => "float",
                ScalarType::Null => "null",
                _ => "timestamp",
            };
            return Err(Error::new(
                ErrorKind::Field,
                format!("yaml: line {line}: cannot decode !!str `{text}` as a !!{name}"),
            )
            .with_hint("the field holds another type of value; put it in quotes in the target to make it a string"));
        }
    };
    *node.content_mut() = Content::Scalar(Scalar::new(text, kind, style));
    Ok(())
}

/// Writes into a document that a scalar on the way of the path holds as text. False where there is
/// none, or nothing in it was found.
fn copy_into_structured_text(
    object: &mut Node,
    parts: &[String],
    value: &Node,
    options: Option<&FieldOptions>,
) -> bool {
    let holder = (1..parts.len()).find_map(|end| {
        let text = look_up(object, &parts[..end]).ok()??.as_scalar()?;
        if text.kind() == ScalarType::Null {
            return None;
        }
        Some((end, gitops_yaml::read(text.text()).ok()?))
    });
    let Some((end, mut document)) = holder else { return false };
    let create = options.is_some_and(|options| options.create).then_some(value);
    let mut write = |document: &mut Node| {
        let mut found = false;
        let written = visit(document, &parts[end..], create, &mut |node| {
            found = true;
            set_in_text(node, value, options)
        });
        written.is_ok() && found
    };
    let text = look_up(object, &parts[..end]).ok().flatten().and_then(Node::text);
    let annotated = text.and_then(|text| notes::changed(text, &mut write));
    if annotated.is_none() && !write(&mut document) {
        return false;
    }
    visit(object, &parts[..end], None, &mut |node| {
        let Some(scalar) = node.as_scalar() else { return Ok(()) };
        let text = match &annotated {
            Some(text) => text.clone(),
            None => print_like(&document, scalar.text())?,
        };
        *node.content_mut() = Content::Scalar(Scalar::new(text, ScalarType::Str, scalar.style()));
        Ok(())
    })
    .is_ok()
}

/// Sets a value in a document that is a text: a scalar keeps its type and its quotes, whatever the
/// value is.
fn set_in_text(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let text = part_replaced(field, value, options)?;
    let Some(scalar) = field.as_scalar() else {
        *field = value.clone();
        return Ok(());
    };
    let text = text.unwrap_or_default();
    if scalar.kind() == ScalarType::Null && scalar.style() == UNTYPED {
        let kind = resolve(&text, Flavour::V3);
        *field = Node::from(Scalar::new(text, kind, ScalarStyle::Plain));
        field.mark_untyped();
    } else {
        *field.content_mut() = Content::Scalar(Scalar::new(text, scalar.kind(), scalar.style()));
    }
    Ok(())
}

/// The document in the form that its text had: JSON, with or without indentation, or YAML with its
/// styles.
fn print_like(document: &Node, text: &str) -> Result<String> {
    let yaml = gitops_yaml::to_yaml_styled(document);
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(yaml.trim().to_owned());
    }
    // What the printer wrote decides what a value is.
    let document = gitops_yaml::read(&yaml)?;
    Ok(if text.contains('\n') && text.contains("  ") {
        gitops_yaml::to_json_pretty(&document)?
    } else {
        gitops_yaml::to_json_text(&document)?
    })
}
