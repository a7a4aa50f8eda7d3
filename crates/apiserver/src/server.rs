//! The server as a value, and what all its requests share.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gitops_core::{Clock, SystemClock};
use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::{
    auth::User,
    garbage::Garbage,
    registry::Registry,
    service::ServerService,
    storage::{Key, Store},
};

/// The largest request body, in bytes: the limit of a real server.
pub(crate) const BODY_LIMIT: usize = 3 << 20;

/// A Kubernetes API server inside the process. Clones share it; it lives as long as one of them or
/// of its services does, and everything that it stores goes with it.
#[derive(Clone)]
pub struct Server {
    pub(crate) state: Arc<State>,
}

/// What a [`Server`] is made of.
#[derive(Debug)]
pub struct ServerBuilder {
    clock: Arc<dyn Clock>,
    users: HashMap<Box<str>, Arc<User>>,
    built_in_controllers: bool,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    /// What is served now. Requests take a snapshot; a definition that comes or goes makes a new one.
    registry: RwLock<Arc<Registry>>,
    /// Held while the registry is changed, so that no change is lost.
    pub(crate) redefining: Mutex<()>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) users: HashMap<Box<str>, Arc<User>>,
    /// Whether namespaces are emptied and dependents are collected, as a controller manager does.
    pub(crate) built_in_controllers: bool,
    pub(crate) garbage: Garbage,
    suffix: AtomicU64,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("revision", &self.state.store.revision())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server with all of its defaults.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings for a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            clock: Arc::new(SystemClock),
            users: HashMap::new(),
            built_in_controllers: true,
        }
    }

    /// A service for `kube::Client::new`. A request without a token comes from the process itself
    /// and may do everything.
    pub fn service(&self) -> ServerService {
        ServerService::trusted(Arc::clone(&self.state))
    }

    /// Serves HTTP/1.1 and HTTP/2 without TLS on a socket until `stop` completes. Requests need one
    /// of the builder's tokens.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve(
        &self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let service = ServerService::guarded(Arc::clone(&self.state));
        crate::listen::serve(service, listener, None, stop).await
    }

    /// Like [`serve`](Self::serve), with TLS.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve_tls(
        &self,
        listener: tokio::net::TcpListener,
        tls: Arc<tokio_rustls::rustls::ServerConfig>,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let service = ServerService::guarded(Arc::clone(&self.state));
        crate::listen::serve(service, listener, Some(tls.into()), stop).await
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerBuilder {
    /// Where times come from; the machine's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Lets a bearer token act as an administrator (a member of `system:masters`).
    #[must_use]
    pub fn admin_token(mut self, token: &str) -> Self {
        self.users.insert(token.into(), Arc::new(User::admin()));
        self
    }

    /// Whether the server does itself what a controller manager does for every cluster: empty
    /// namespaces that are deleted, collect dependents of what is gone, give each namespace its
    /// `default` service account. On by default; a bare API server does not.
    #[must_use]
    pub fn built_in_controllers(mut self, on: bool) -> Self {
        self.built_in_controllers = on;
        self
    }

    /// The server, with its default namespaces and roles.
    pub fn build(self) -> Server {
        let store = Store::new();
        let registry = Registry::builtin(&store);
        let state = Arc::new(State {
            registry: RwLock::new(Arc::new(registry)),
            redefining: Mutex::new(()),
            store,
            clock: self.clock,
            users: self.users,
            built_in_controllers: self.built_in_controllers,
            garbage: Garbage::default(),
            suffix: AtomicU64::new(0),
        });
        state.bootstrap();
        Server { state }
    }
}

impl State {
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read())
    }

    pub(crate) fn set_registry(&self, registry: Registry) {
        *self.registry.write() = Arc::new(registry);
    }

    /// The time as the API writes it, to the second.
    pub(crate) fn now(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Five characters for a generated name, from the API's alphabet; never the same twice.
    pub(crate) fn generated_suffix(&self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let base = ALPHABET.len() as u64;
        // A step that shares no factor with 27⁵ visits every suffix before one comes again.
        let mut number =
            self.suffix.fetch_add(1, Ordering::Relaxed).wrapping_mul(9_350_357) + 4_782_969;
        (0..5)
            .map(|_| {
                let place = usize::try_from(number % base).unwrap_or_default();
                number /= base;
                char::from(ALPHABET[place])
            })
            .collect()
    }

    /// What every cluster has from the start.
    fn bootstrap(self: &Arc<Self>) {
        let registry = self.registry();
        let objects = ["default", "kube-node-lease", "kube-public", "kube-system"]
            .into_iter()
            .map(
                |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            )
            .chain(crate::auth::default_roles(self.built_in_controllers));
        for object in objects {
            crate::verbs::create_system(self, &registry, object);
        }
    }

    /// The stored namespace.
    pub(crate) fn namespace(&self, name: &str) -> Option<Value> {
        let found = self.store.table("", "namespaces").get(&Key::new("", name))?;
        Some(found.value.clone())
    }
}
