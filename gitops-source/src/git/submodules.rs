//! Repositories within repositories.
//!
//! Each is fetched at the commit that the tree names, without its history. Only servers are asked:
//! an address that means a file or a program is refused, and so is one that climbs out of its host.
//! Credentials are for the host that they were given for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use gitops_core::{Cancelled, Scope, Tree as _, one_line};
use gix::{ObjectId, bstr::ByteSlice as _, config::File};
use tokio::time::Instant;
use url::Url;

use super::{
    GitAccess, GitLimits, location::Location, origin::Origin, packet::Want, tree::GitTree,
};
use crate::SourceError;

/// How deep submodules may have submodules; go-git's bound.
const MAX_DEPTH: usize = 10;
/// Submodules of a repository, all levels together.
const MAX_COUNT: usize = 256;
/// A `.gitmodules` that is larger is none.
const MAX_FILE: u64 = 1 << 20;

/// With what submodules are fetched.
pub(super) struct Submodules<'s> {
    pub(super) access: Option<&'s GitAccess>,
    pub(super) limits: &'s GitLimits,
    pub(super) deadline: Instant,
    pub(super) scope: &'s Scope,
    /// Where the outermost repository is: whom credentials are for.
    pub(super) home: &'s Location,
    pub(super) count: usize,
}

impl Submodules<'_> {
    /// Fetches the submodules of a tree and puts each in its place.
    ///
    /// `modules` is where Git would keep the repositories of these submodules, below the root, and
    /// `above` the path of the tree itself: a submodule gets the file `.git` that points there, as
    /// in Git's checkouts and so in Flux's artifacts.
    pub(super) async fn mount(
        &mut self,
        tree: &mut GitTree,
        at: &Location,
        (modules, above): (&str, &Path),
        depth: usize,
    ) -> Result<(), SourceError> {
        if tree.submodules().is_empty() {
            return Ok(());
        }
        if depth >= MAX_DEPTH {
            let why = format!("submodules are nested more than {MAX_DEPTH} deep");
            return Err(SourceError::content(why));
        }
        let addresses = addresses(tree)?;
        for (path, id) in tree.submodules().to_vec() {
            self.scope.check()?;
            let shown = path.display().to_string();
            // What `.gitmodules` does not name stays an empty directory, as Git has it.
            let Some((name, address)) = addresses.get(&path) else {
                continue;
            };
            self.count += 1;
            if self.count > MAX_COUNT {
                let why = format!("more than {MAX_COUNT} submodules");
                return Err(SourceError::content(why));
            }
            let refused =
                |error: SourceError| error.during(format!("unable to fetch submodule '{shown}'"));
            let location = resolve(at, address).map_err(refused)?;
            let access = self.access_to(&location).map_err(refused)?;
            let fetched = self.fetch(&location, access, id).await;
            let mut inner = fetched.inspect_err(|error| {
                // Flux's message does not tell which one it was.
                tracing::debug!("unable to fetch submodule '{shown}': {}", one_line(error));
            })?;
            let place = above.join(&path);
            let own = format!("{modules}/{name}");
            let below = format!("{own}/modules");
            let mounted = Box::pin(self.mount(&mut inner, &location, (&below, &place), depth + 1));
            mounted.await?;
            inner.point_to(&format!("{}{own}", "../".repeat(place.components().count())));
            tree.mount(path, Arc::new(inner));
        }
        Ok(())
    }

    async fn fetch(
        &self,
        location: &Location,
        access: Option<GitAccess>,
        id: ObjectId,
    ) -> Result<GitTree, SourceError> {
        let origin = Origin::open_at(location, access.as_ref(), self.limits, self.deadline).await?;
        let ids = [id.to_string()];
        let want = Want { ids: &ids, shallow: true, history_only: false };
        let objects = origin.objects(&want, self.limits).await.map_err(|error| match error {
            // What go-git makes of a server that lacks the commit.
            SourceError::NotFound(_) => SourceError::NotFound(
                format!(
                    "error decoding upload-pack response: multi_ack and multi_ack_detailed are not \
                     supported: upload-pack: not our ref {id}"
                )
                .into(),
            ),
            error => error,
        })?;
        let (limits, scope) = (*self.limits, self.scope.clone());
        let read = move || {
            let commit = objects.commit(id)?;
            GitTree::load(objects, commit.tree, &[], &limits, &scope)
        };
        let joined = tokio::task::spawn_blocking(read).await;
        joined.map_err(|_| SourceError::Cancelled(Cancelled))?
    }

    /// The way to a submodule: the repository's own to its own host; a way without secrets to
    /// others.
    fn access_to(&self, location: &Location) -> Result<Option<GitAccess>, SourceError> {
        Ok(match (location, self.access) {
            (Location::Http(url), Some(GitAccess::Http(transport))) => {
                let same = matches!(self.home, Location::Http(home) if same_origin(home, url));
                let transport = transport.clone();
                Some(if same { transport } else { transport.without_credentials() }.into())
            }
            // A key proves itself to known hosts only, and is not given away.
            (Location::Ssh(_), Some(access @ GitAccess::Ssh(_))) => Some(access.clone()),
            (Location::Ssh(_), _) => {
                let why = "the repository's credentials are not for SSH";
                return Err(SourceError::Denied(why.into()));
            }
            (Location::Http(_) | Location::Disk(_), _) => None,
        })
    }
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// The names and addresses in `.gitmodules` by the paths that they are for.
fn addresses(tree: &GitTree) -> Result<BTreeMap<PathBuf, (String, String)>, SourceError> {
    let name = ".gitmodules".as_ref();
    let Ok(entry) = tree.stat(name) else {
        return Ok(BTreeMap::new());
    };
    let malformed = || SourceError::content("malformed .gitmodules");
    if entry.size > MAX_FILE {
        return Err(malformed());
    }
    let content = tree.read(name)?;
    let file = File::from_bytes_no_includes(
        &content,
        gix::config::file::Metadata::default(),
        gix::config::file::init::Options::default(),
    )
    .map_err(|_| malformed())?;
    let mut addresses = BTreeMap::new();
    for section in file.sections_by_name("submodule").into_iter().flatten() {
        if let (Some(path), Some(url)) = (section.value("path"), section.value("url")) {
            let path = path.to_str().map_err(|_| malformed())?;
            let url = url.to_str().map_err(|_| malformed())?;
            let name = section.header().subsection_name().and_then(|name| name.to_str().ok());
            let name = name.filter(|name| is_module_name(name)).ok_or_else(malformed)?;
            let path = PathBuf::from(path.trim_end_matches('/'));
            addresses.insert(path, (name.to_owned(), url.to_owned()));
        }
    }
    Ok(addresses)
}

/// Whether a submodule may have a name: a path that stays where it is put.
fn is_module_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', '\n', '\r', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// What an address means in a repository at a place.
fn resolve(at: &Location, address: &str) -> Result<Location, SourceError> {
    if address.starts_with("./") || address.starts_with("../") {
        return relative(at, address);
    }
    let location = Location::parse(address)?;
    match (&location, at) {
        (Location::Disk(_), Location::Http(_) | Location::Ssh(_)) => {
            Err(SourceError::Invalid("unsupported scheme \"file\"".into()))
        }
        _ => Ok(location),
    }
}

/// Follows git's `relative_url`: each `..` takes a part off the end of the repository's path.
fn relative(at: &Location, address: &str) -> Result<Location, SourceError> {
    let path = match at {
        Location::Http(url) => url.path().to_owned(),
        Location::Ssh(location) => location.path.clone(),
        Location::Disk(path) => path.to_string_lossy().into_owned(),
    };
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for part in address.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(SourceError::Invalid("address climbs out of its host".into()));
                }
            }
            part => parts.push(part),
        }
    }
    let path = format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"));
    Ok(match at {
        Location::Http(url) => {
            let mut url = url.clone();
            url.set_path(&path);
            Location::Http(url)
        }
        Location::Ssh(location) => {
            let mut location = location.clone();
            location.path = path;
            Location::Ssh(location)
        }
        Location::Disk(_) => Location::Disk(path.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_submodules_stay_where_they_are_put() {
        assert!(is_module_name("vendor/app") && is_module_name("a b"));
        for bad in ["", "..", "../x", "a/../../b", "/etc", "a//b", "a\nb", "a\\b"] {
            assert!(!is_module_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_resolved_against_their_repository() {
        for (at, address, expected) in [
            ("https://h/o/r.git", "../s.git", "https://h/o/s.git"),
            ("https://h/o/r.git", "./s", "https://h/o/r.git/s"),
            ("https://u:p@h:8/o/r", "../../x/s", "https://u:p@h:8/x/s"),
            ("git@h:o/r.git", "../s.git", "git@h:o/s.git"),
            ("ssh://git@h/o/r.git", "../../s", "ssh://git@h/s"),
            ("https://h/o/r", "ssh://git@x/s", "ssh://git@x/s"),
            ("/srv/r", "../s", "/srv/s"),
        ] {
            let at = Location::parse(at).unwrap();
            let expected = Location::parse(expected).unwrap();
            assert_eq!(resolve(&at, address).unwrap(), expected, "{address}");
        }
    }

    #[test]
    fn hostile_addresses_are_refused() {
        let at = Location::parse("https://h/o/r.git").unwrap();
        for address in [
            "../../../x",
            "file:///etc",
            "/etc",
            "ext::sh -c id",
            "git://h/r",
            "--upload-pack=id",
            "-oProxyCommand=id:x",
            "ssh://-h/x",
            "",
        ] {
            assert!(resolve(&at, address).is_err(), "{address}");
        }
    }
}
