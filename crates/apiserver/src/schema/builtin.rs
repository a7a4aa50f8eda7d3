//! Reads the table of built-in kinds.
//!
//! The table is a text of about 60 kB; reading it takes well under a millisecond. Its grammar is
//! that of its writer, `xtask/src/builtin_kinds.rs`.

use super::{Field, Kind, ListKind, Node, NodeId, Patch, Scalar, Schema, Text};

/// Resource lines of the table and the types they refer to.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) schema: Schema,
    pub(crate) resources: Vec<Line>,
}

/// One resource or subresource of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<&'static str>,
    pub(crate) short_names: Vec<&'static str>,
    pub(crate) categories: Vec<&'static str>,
    pub(crate) node: NodeId,
    pub(crate) subresources: Vec<Subline>,
}

/// `S` of the table: a name below a resource and the kind that it speaks.
#[derive(Clone, Debug)]
pub(crate) struct Subline {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) verbs: Vec<&'static str>,
    pub(crate) node: Option<NodeId>,
}

impl Table {
    /// Reads the committed table.
    ///
    /// # Panics
    /// When the table is damaged, which a test would show.
    pub(crate) fn read(text: &'static str) -> Self {
        let mut resources: Vec<Line> = Vec::new();
        let types: Vec<&'static str> =
            text.lines().filter_map(|line| line.strip_prefix("T ")).collect();
        let mut reader = Reader { schema: Schema::default(), retaining: Vec::new() };
        // Types come first, so that a reference is the type's number.
        for _ in &types {
            reader.schema.add(Node::new(Kind::Any));
        }
        for (number, line) in types.iter().enumerate() {
            let node = reader.definition(line);
            reader.schema.nodes[number] = node;
        }
        for id in std::mem::take(&mut reader.retaining) {
            reader.schema.nodes[id.0 as usize].patch.retain_keys = true;
        }
        for line in text.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words[..] {
                ["R", group, version, plural, singular, kind, scope, verbs, short, cats, node] => {
                    resources.push(Line {
                        group: undash(group),
                        version,
                        plural,
                        singular,
                        kind,
                        namespaced: scope == "N",
                        verbs: list(verbs),
                        short_names: list(short),
                        categories: list(cats),
                        node: number(node).expect("a type"),
                        subresources: Vec::new(),
                    });
                }
                ["S", name, speaks, verbs, node] => {
                    let mut parts = speaks.split('/');
                    let mut part = || undash(parts.next().unwrap_or_default());
                    let sub = Subline {
                        name,
                        group: part(),
                        version: part(),
                        kind: part(),
                        verbs: list(verbs),
                        node: number(node),
                    };
                    resources.last_mut().expect("below a resource").subresources.push(sub);
                }
                _ => {}
            }
        }
        Self { schema: reader.schema, resources }
    }
}

struct Reader {
    schema: Schema,
    /// Structs that strategic merge reads with `retainKeys`.
    retaining: Vec<NodeId>,
}

impl Reader {
    fn definition(&mut self, line: &'static str) -> Node {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let fields: Vec<Field> = words.map(|word| self.field(word)).collect();
        let mut node = Node::new(if fields.is_empty() {
            Kind::Any
        } else {
            Kind::Struct { fields, rest: None }
        });
        let (name, package) = name.split_once('@').unwrap_or((name, "v1"));
        node.package = Text::Borrowed(package);
        node.atomic = name.ends_with('!');
        node.name = Text::Borrowed(name.trim_end_matches('!'));
        node
    }

    fn field(&mut self, word: &'static str) -> Field {
        let (name, expression) = word.split_once(':').expect("name:type");
        let (name, within) = name.split_once('&').unwrap_or((name, ""));
        let (name, go_type) = name.split_once('@').unwrap_or((name, ""));
        let pointer = name.ends_with('?');
        let name = name.trim_end_matches('?');
        let always = name.ends_with('!');
        let name = name.trim_end_matches('!');
        let required = name.ends_with('*');
        let (expression, default) = match expression.rsplit_once('=') {
            // `=` after a bracket is the mode of a list.
            Some((head, tail)) if !head.ends_with('[') => (head, Some(Text::Borrowed(tail))),
            _ => (expression, None),
        };
        let node = self.expression(expression);
        let name = Text::Borrowed(name.trim_end_matches('*'));
        let (go_type, within) = (Text::Borrowed(go_type), Text::Borrowed(within));
        Field { name, node, required, always, pointer, go_type, within, default }
    }

    fn expression(&mut self, text: &'static str) -> NodeId {
        let (patch, text) = strategy(text);
        let mut node = match text.as_bytes() {
            [b'[', mode, ..] => {
                let (list, rest) = match mode {
                    b'=' => (ListKind::Set, &text[2..]),
                    b'%' => {
                        let (keys, rest) = text[3..].split_once(')').expect("keys in brackets");
                        (ListKind::Map(list(keys).into_iter().map(Text::Borrowed).collect()), rest)
                    }
                    _ => (ListKind::Atomic, &text[2..]),
                };
                let (patch, rest) = strategy(rest);
                let items = self.expression(rest);
                let mut node = Node::new(Kind::List { items, list });
                node.patch = patch;
                return self.schema.add(node);
            }
            [b'{', mode, ..] => {
                let values = self.expression(&text[2..]);
                let mut node = Node::new(Kind::Map { values });
                node.atomic = *mode == b'-';
                node
            }
            [b'#', ..] => {
                let target = number(&text[1..]).expect("a type");
                if patch.retain_keys {
                    self.retaining.push(target);
                }
                return target;
            }
            _ => Node::new(scalar(text)),
        };
        node.patch = patch;
        self.schema.add(node)
    }
}

fn strategy(text: &'static str) -> (Patch, &'static str) {
    let Some(rest) = text.strip_prefix('~') else { return (Patch::default(), text) };
    let (strategy, rest) = rest.split_once('(').expect("a strategy has a key, maybe empty");
    let (key, rest) = rest.split_once(')').expect("a closed bracket");
    let patch = Patch {
        merge: strategy.split(',').any(|word| word == "merge"),
        retain_keys: strategy.split(',').any(|word| word == "retainKeys"),
        key: Text::Borrowed(key),
    };
    (patch, rest)
}

fn scalar(text: &'static str) -> Kind {
    Kind::Scalar(match text {
        "b" => Scalar::Boolean,
        "i" => Scalar::Int32,
        "l" => Scalar::Int64,
        "d" => Scalar::Double,
        "y" => Scalar::Bytes,
        "t" => Scalar::Time,
        "u" => Scalar::MicroTime,
        "q" => Scalar::Quantity,
        "o" => Scalar::IntOrString,
        "a" | "r" => return Kind::Any,
        _ => {
            let allowed = text.trim_start_matches('s').trim_matches(['<', '>']);
            Scalar::String(match allowed {
                "" => Vec::new(),
                allowed => allowed
                    .split(',')
                    .map(|value| {
                        if value.contains('_') {
                            Text::Owned(value.replace('_', " "))
                        } else {
                            Text::Borrowed(value)
                        }
                    })
                    .collect(),
            })
        }
    })
}

fn number(text: &str) -> Option<NodeId> {
    text.parse().ok().map(NodeId)
}

fn list(text: &'static str) -> Vec<&'static str> {
    match text {
        "-" | "" => Vec::new(),
        text => text.split(',').collect(),
    }
}

fn undash(text: &'static str) -> &'static str {
    if text == "-" { "" } else { text }
}
