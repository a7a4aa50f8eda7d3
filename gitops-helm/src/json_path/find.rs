//! From nodes to what they name.

use std::cmp::Ordering;

use serde_json::Value;

use super::parse::Node;

/// How many values one template may look at.
const MOST: usize = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'v> {
    Json(&'v Value),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// A path that leads nowhere. Helm prints nothing then, and does not say why.
#[derive(Debug)]
pub(super) struct Lost;

type Found<'v> = Result<Vec<Item<'v>>, Lost>;

/// A walk over the nodes of a template.
pub(super) struct Search<'n> {
    nodes: &'n [Node],
    /// Ranges that were begun, and that an end was met for.
    begun: usize,
    within: usize,
    ended: usize,
    last_end: usize,
    left: usize,
}

impl<'n> Search<'n> {
    pub(super) fn new(nodes: &'n [Node]) -> Self {
        Self { nodes, begun: 0, within: 0, ended: 0, last_end: 0, left: MOST }
    }

    /// What each node names.
    pub(super) fn all(mut self, root: &Value) -> Result<Vec<Vec<Item<'_>>>, Lost> {
        self.from(0, &Item::Json(root))
    }

    fn from<'v>(&mut self, first: usize, dot: &Item<'v>) -> Result<Vec<Vec<Item<'v>>>, Lost> {
        let mut all = Vec::new();
        let mut at = first;
        while at < self.nodes.len() {
            let found = self.walk(vec![dot.clone()], &self.nodes[at])?;
            if self.ended > 0 && self.ended <= self.within {
                self.ended -= 1;
                self.last_end = at;
                break;
            }
            if self.begun > 0 {
                self.begun -= 1;
                self.within += 1;
                for item in &found {
                    all.extend(self.from(at + 1, item)?);
                }
                if found.is_empty() {
                    // Only to find the end.
                    self.from(at + 1, &Item::Json(&Value::Null))?;
                }
                self.within -= 1;
                at = if self.last_end > at { self.last_end + 1 } else { at + 1 };
                continue;
            }
            all.push(found);
            at += 1;
        }
        Ok(all)
    }

    fn list<'v>(&mut self, mut current: Vec<Item<'v>>, nodes: &[Node]) -> Found<'v> {
        for node in nodes {
            current = self.walk(current, node)?;
        }
        Ok(current)
    }

    fn walk<'v>(&mut self, input: Vec<Item<'v>>, node: &Node) -> Found<'v> {
        self.left = self.left.checked_sub(input.len() + 1).ok_or(Lost)?;
        let each = |item: Item<'v>| Ok(input.iter().map(|_| item.clone()).collect());
        match node {
            Node::List(nodes) => self.list(input, nodes),
            Node::Text(text) => Ok(vec![Item::Text(text.clone())]),
            Node::Int(number) => each(Item::Int(*number)),
            Node::Float(number) => each(Item::Float(*number)),
            Node::Bool(flag) => each(Item::Bool(*flag)),
            Node::Field(name) => field(&input, name),
            Node::Slice { start, end, is_one, step } => {
                slice(&input, *start, (*end, *is_one), *step)
            }
            Node::Wildcard => Ok(input.iter().flat_map(children).collect()),
            Node::Recursive => {
                let mut found = Vec::new();
                self.descend(&input, &mut found)?;
                Ok(found)
            }
            Node::Union(lists) => {
                let mut found = Vec::new();
                for list in lists {
                    found.extend(self.list(input.clone(), list)?);
                }
                Ok(found)
            }
            Node::Filter { left, operator, right } => self.filter(&input, left, operator, right),
            Node::Identifier(name) => match name.as_str() {
                "range" => {
                    self.begun += 1;
                    Ok(input)
                }
                "end" if self.within > 0 => {
                    self.ended += 1;
                    Ok(Vec::new())
                }
                _ => Err(Lost),
            },
        }
    }

    fn descend<'v>(&mut self, input: &[Item<'v>], found: &mut Vec<Item<'v>>) -> Result<(), Lost> {
        for item in input {
            self.left = self.left.checked_sub(1).ok_or(Lost)?;
            let below = children(item);
            if !below.is_empty() {
                found.push(item.clone());
                self.descend(&below, found)?;
            }
        }
        Ok(())
    }

    fn filter<'v>(
        &mut self,
        input: &[Item<'v>],
        left: &[Node],
        operator: &str,
        right: &[Node],
    ) -> Found<'v> {
        let mut found = Vec::new();
        for item in input {
            let Item::Json(Value::Array(items)) = item else { return Err(Lost) };
            for item in items {
                let item = Item::Json(item);
                let lefts = self.list(vec![item.clone()], left);
                if operator == "exists" {
                    if lefts.is_ok_and(|lefts| !lefts.is_empty()) {
                        found.push(item);
                    }
                    continue;
                }
                let lefts = lefts?;
                let left = match &lefts[..] {
                    [] => continue,
                    [left] => left,
                    _ => return Err(Lost),
                };
                let rights = self.list(vec![item.clone()], right)?;
                let right = match &rights[..] {
                    [] => continue,
                    [right] => right,
                    _ => return Err(Lost),
                };
                if passes(left, operator, right)? {
                    found.push(item);
                }
            }
        }
        Ok(found)
    }
}

fn field<'v>(input: &[Item<'v>], name: &str) -> Found<'v> {
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<_> = input
        .iter()
        .filter_map(|item| match item {
            Item::Json(Value::Object(object)) => object.get(name).map(Item::Json),
            _ => None,
        })
        .collect();
    if found.is_empty() { Err(Lost) } else { Ok(found) }
}

fn slice<'v>(
    input: &[Item<'v>],
    start: Option<i64>,
    (end, is_one): (Option<i64>, bool),
    step: Option<i64>,
) -> Found<'v> {
    let mut found = Vec::new();
    for item in input {
        let items = match item {
            Item::Json(Value::Array(items)) => items,
            Item::Json(Value::Null) => continue,
            _ => return Err(Lost),
        };
        let length = i64::try_from(items.len()).map_err(|_| Lost)?;
        let mut start = start.unwrap_or(0);
        if start < 0 {
            start = start.saturating_add(length);
        }
        let mut end = end.unwrap_or(length);
        if end < 0 || (end == 0 && is_one) {
            end = end.saturating_add(length);
        }
        if start == end {
            return Ok(found);
        }
        if start >= length || start < 0 || end > length || end < 0 || start > end {
            return Err(Lost);
        }
        let step = match step {
            None => 1,
            Some(step) => usize::try_from(step).ok().filter(|step| *step > 0).ok_or(Lost)?,
        };
        let place = |at: i64| usize::try_from(at).map_err(|_| Lost);
        found.extend(items[place(start)?..place(end)?].iter().step_by(step).map(Item::Json));
    }
    Ok(found)
}

/// The values within a value; those of a text are its bytes.
fn children<'v>(item: &Item<'v>) -> Vec<Item<'v>> {
    match item {
        Item::Json(Value::Object(object)) => object.values().map(Item::Json).collect(),
        Item::Json(Value::Array(items)) => items.iter().map(Item::Json).collect(),
        Item::Json(Value::String(text)) => {
            text.bytes().map(|byte| Item::Int(byte.into())).collect()
        }
        Item::Text(text) => text.bytes().map(|byte| Item::Int(byte.into())).collect(),
        _ => Vec::new(),
    }
}

/// Only values of one kind can be compared.
fn passes(left: &Item<'_>, operator: &str, right: &Item<'_>) -> Result<bool, Lost> {
    let text = |item: &Item<'_>| match item {
        Item::Text(text) | Item::Json(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let float = |item: &Item<'_>| match item {
        Item::Float(number) => Some(*number),
        Item::Json(Value::Number(number)) => number.as_f64(),
        _ => None,
    };
    let flag = |item: &Item<'_>| match item {
        Item::Bool(flag) | Item::Json(Value::Bool(flag)) => Some(*flag),
        _ => None,
    };
    let order = match (left, right) {
        (Item::Int(left), Item::Int(right)) => Some(left.cmp(right)),
        _ => {
            if let (Some(left), Some(right)) = (text(left), text(right)) {
                Some(left.cmp(&right))
            } else if let (Some(left), Some(right)) = (float(left), float(right)) {
                left.partial_cmp(&right)
            } else if let (Some(left), Some(right)) = (flag(left), flag(right)) {
                if !matches!(operator, "==" | "!=") {
                    return Err(Lost);
                }
                Some(left.cmp(&right))
            } else {
                return Err(Lost);
            }
        }
    };
    Ok(match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ => return Err(Lost),
    })
}
