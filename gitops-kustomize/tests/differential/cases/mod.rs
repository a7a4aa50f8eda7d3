//! Random kustomizations over random objects.

mod deep;
mod layers;
mod merges;
mod mutants;
pub(crate) mod wide;

use crate::{
    case::{Case, Field},
    fields,
    objects::{Object, object},
    rng::Rng,
};

/// How many kinds of cases there are.
pub(crate) const KINDS: u64 = 9;

/// The case of a seed.
pub(crate) fn case(seed: u64) -> Case {
    let mut r = Rng::new(seed);
    match seed % KINDS {
        0 => overlay(r),
        1 => wide::focused(&mut r),
        2 => wide::styled(&mut r),
        3 => deep::deep(&mut r),
        4 => layers::layers(&mut r),
        5 => layers::spelled(&mut r),
        7 => merges::merges(&mut r),
        8 => merges::documents(&mut r),
        _ => mutants::mutant(&mut r).unwrap_or_else(|| overlay(r)),
    }
}

fn overlay(mut r: Rng) -> Case {
    let mut case = Case { unrestricted: r.chance(15), ..Case::default() };
    let mut objects = base(&mut r, &mut case, "base", &[]);
    let mut names = vec!["base".to_owned()];
    if r.chance(30) {
        let more = base(&mut r, &mut case, "other", &objects);
        objects.extend(more);
        names.push("other".to_owned());
    }
    if r.chance(45) {
        overlay_of(&mut r, &mut case, "mid", &names, &mut objects);
        names = vec!["mid".to_owned()];
    }
    if r.chance(15) {
        // The same base twice, by two ways.
        let mut copies = objects.clone();
        overlay_of(&mut r, &mut case, "twin", &names, &mut copies);
        if !case.kustomizations.contains_key("mid/kustomization.yaml") {
            overlay_of(&mut r, &mut case, "mid", &names, &mut objects);
        }
        if let Some(fields) = case.kustomizations.get_mut("twin/kustomization.yaml") {
            fields.retain(|field| field.head != "namePrefix: ");
            fields
                .push(Field { head: "namePrefix: ".to_owned(), items: vec!["twin-\n".to_owned()] });
        }
        names = vec!["mid".to_owned(), "twin".to_owned()];
        objects.extend(copies);
    }
    if r.chance(85) {
        overlay_of(&mut r, &mut case, "top", &names, &mut objects);
        "top".clone_into(&mut case.top);
    } else {
        case.top.clone_from(&names[0]);
    }
    case
}

fn base(r: &mut Rng, case: &mut Case, directory: &str, others: &[Object]) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let mut resources = Vec::new();
    for file in 0..=r.below(2) {
        let mut documents = Vec::new();
        for _ in 0..=r.below(5) {
            let made = object(r);
            let twin = objects.iter().chain(others).any(|old| {
                old.kind == made.kind
                    && old.name == made.name
                    && old.namespace.as_deref().unwrap_or("default")
                        == made.namespace.as_deref().unwrap_or("default")
            });
            // A few collisions are wanted.
            if !twin || r.chance(3) {
                documents.push(made.text.clone());
                objects.push(made);
            }
        }
        let path = format!("r{file}.yaml");
        resources.push(format!("- {}{path}\n", r.pick(&["", "", "./"])));
        if r.chance(5) {
            let mut items = String::new();
            for document in &documents {
                let lines = document.lines().filter(|line| !line.starts_with('#'));
                for (index, line) in lines.enumerate() {
                    items.push_str(if index == 0 { "- " } else { "  " });
                    items.push_str(line);
                    items.push('\n');
                }
            }
            documents = vec![format!("apiVersion: v1\nkind: List\nitems:\n{items}")];
        }
        case.files.insert(format!("{directory}/{path}"), documents);
    }
    let mut list = header(r, false);
    list.push(Field { head: "resources:\n".to_owned(), items: resources });
    let count = r.below(4);
    fields::add(r, case, directory, &mut list, &mut objects, count);
    case.kustomizations.insert(format!("{directory}/kustomization.yaml"), list);
    objects
}

fn overlay_of(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    names: &[String],
    objects: &mut Vec<Object>,
) {
    let mut list = header(r, false);
    let resources =
        names.iter().map(|name| format!("- ../{name}{}\n", r.pick(&["", "", "/"]))).collect();
    let head = if r.chance(5) { "bases:\n" } else { "resources:\n" };
    list.push(Field { head: head.to_owned(), items: resources });
    if r.chance(15) {
        let made = object(r);
        case.files.insert(format!("{directory}/extra.yaml"), vec![made.text.clone()]);
        list.push(Field { head: String::new(), items: vec![String::new()] });
        if let Some(field) = list.iter_mut().find(|field| field.head == "resources:\n") {
            field.items.push("- extra.yaml\n".to_owned());
            objects.push(made);
        }
    }
    if r.chance(20) {
        let name = format!("{directory}-part");
        let mut component = header(r, true);
        let count = 1 + r.below(3);
        fields::add(r, case, &name, &mut component, objects, count);
        case.kustomizations.insert(format!("{name}/kustomization.yaml"), component);
        list.push(Field {
            head: "components:\n".to_owned(),
            items: vec![format!("- ../{name}\n")],
        });
    }
    let count = 1 + r.below(5);
    fields::add(r, case, directory, &mut list, objects, count);
    case.kustomizations.insert(format!("{directory}/kustomization.yaml"), list);
}

fn header(r: &mut Rng, component: bool) -> Vec<Field> {
    if component {
        return vec![Field {
            head: String::new(),
            items: vec![
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned(),
            ],
        }];
    }
    let text = r.pick(&[
        "",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        "kind: Kustomization\n",
    ]);
    if text.is_empty() {
        Vec::new()
    } else {
        vec![Field { head: String::new(), items: vec![text.to_owned()] }]
    }
}
