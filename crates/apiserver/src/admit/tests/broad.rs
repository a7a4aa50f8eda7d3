//! Sends the objects of a directory to a real server and to admission, and prints what differs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Case, compare, real, world::World};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test is steered by its environment")]
async fn the_objects_of_a_directory_are_answered_alike() {
    let (Ok("real"), Ok(directory)) =
        (std::env::var("GITOPS_CLUSTER").as_deref(), std::env::var("GITOPS_OBJECTS"))
    else {
        println!("skipped: GITOPS_CLUSTER=real and GITOPS_OBJECTS=DIR are not set");
        return;
    };
    let server = real::Server::connect().await;
    let world = World::new(&[]);
    let mut files = Vec::new();
    find(Path::new(&directory), &mut files);
    files.sort();
    let (mut count, mut refused, mut differences) = (0, 0, Vec::new());
    let mut seen = std::collections::HashSet::new();
    for path in files {
        for (index, mut object) in objects(&path).into_iter().enumerate() {
            let Some(resource) = world.resource(&object) else { continue };
            if resource.namespaced && object["metadata"].is_object() {
                object["metadata"]["namespace"] = "cases".into();
            }
            if !seen.insert(object.to_string()) {
                continue;
            }
            count += 1;
            let title = format!(
                "{} #{index} {} {}",
                path.display(),
                object["kind"],
                object["metadata"]["name"]
            );
            let case = Case {
                name: title.clone(),
                given: None,
                to: None,
                send: object,
                strict: false,
                subresource: String::new(),
            };
            let theirs = server.answer(&world, &case).await;
            let ours = world.answer(&case);
            // Admission of namespaces and the like is not what is compared.
            if ["NotFound", "Forbidden", "AlreadyExists"].iter().any(|r| theirs["reason"] == **r) {
                continue;
            }
            let accepted = theirs.get("object").is_some() && ours.get("object").is_some();
            refused += usize::from(!accepted);
            compare(&title, &theirs, &ours, &mut differences);
            // The same again, over itself.
            if accepted && resource.namespaced && &*resource.kind != "Pod" {
                let case = Case { given: Some(case.send.clone()), ..case };
                let theirs = server.answer(&world, &case).await;
                let ours = world.answer(&case);
                compare(&format!("{title} updated"), &theirs, &ours, &mut differences);
            }
        }
    }
    println!("{count} objects, {refused} refused, {} differ", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "out") {
            files.push(path);
        }
    }
}

fn objects(path: &Path) -> Vec<Value> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let Ok(nodes) = gitops_yaml::read_all(&bytes) else { return Vec::new() };
    let mut found = Vec::new();
    for node in nodes {
        let Ok(value) = node.to_json() else { continue };
        match value.get("items") {
            Some(Value::Array(items)) if value["kind"] == "List" => found.extend(items.clone()),
            _ if value.get("kind").is_some() => found.push(value),
            _ => {}
        }
    }
    found
}
