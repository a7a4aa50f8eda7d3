//! From Secrets to the way to a Git server. Only here does a source read Secrets.

use std::collections::BTreeMap;

use gitops_api::{
    meta::reason,
    source::{GitProvider, GitRepository},
};
use gitops_auth::{
    AZURE_DEVOPS_SCOPE, AuthError, CacheKey, GitHubApp, HttpClient, HttpOptions, Token,
    aws_credentials, azure_token, code_commit_credentials, code_commit_region,
};
use gitops_core::{
    Class, Failure, SafeUrl, Secret, Stage, go_dial_refusal, go_url, go_url_refusal, masked_url,
    quoted,
};
use gitops_source::{
    GitAccess, GitCredentials, GitTransports, SourceError, SshAlgorithms, SshIdentity,
    SshTransport, Tls,
};
use k8s_openapi::api::core::v1::Secret as SecretObject;
use kube::{Api, Client, ResourceExt as _};
use url::Url;

use super::{
    common::failed,
    identity::{Identities, denied},
    secret_data,
};
use crate::runtime::{Fault, Key, Stop};

pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// What the ways to Git servers are made of.
#[derive(Debug, Default)]
pub(super) struct GitMeans {
    pub(super) transports: GitTransports,
    pub(super) algorithms: SshAlgorithms,
    pub(super) identities: Identities,
}

/// A way to a Git server.
pub(super) struct Way {
    pub(super) access: GitAccess,
    /// The token that opens it, where it was not in a Secret.
    token: Option<CacheKey>,
}

impl GitMeans {
    /// Forgets the token of a way that was refused, so that the next turn asks for a new one.
    pub(super) fn refused(&self, way: &Way) {
        if let Some(token) = &way.token {
            self.identities.tokens.forget(token);
        }
    }
}

/// The way to the server of a repository.
pub(super) async fn way(
    client: &Client,
    means: &GitMeans,
    object: &GitRepository,
) -> Result<Way, Stop> {
    let namespace = object.namespace().unwrap_or_default();
    let proxy = match &object.spec.proxy_secret_ref {
        Some(reference) => Some(proxy(client, &namespace, &reference.name).await?),
        None => None,
    };
    let (url, nowhere) = parsed(&object.spec.url)?;
    let data = match &object.spec.secret_ref {
        Some(reference) => {
            Some(secret(client, &namespace, &reference.name).await.map_err(|error| {
                // Flux says it twice.
                let what = format!("failed to get secret '{namespace}/{}'", reference.name);
                let message = format!("{what}: {what}");
                failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, error)
            })?)
        }
        None => None,
    };
    let authentication = authentication(&url, data.as_ref()).map_err(|why| {
        let message = "failed to configure authentication options";
        failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, why)
    })?;
    if let (GitProvider::GitHub, Some(data)) = (object.spec.provider.unwrap_or_default(), &data) {
        let reference = object.spec.secret_ref.as_ref();
        let name = reference.map(|reference| reference.name.as_str()).unwrap_or_default();
        check_app_secret(data, &format!("{namespace}/{name}")).map_err(|why| {
            let fault = Fault::new(Class::Invalid, why).reason(reason::AUTHENTICATION_FAILED);
            Stop::Untold(Failure::new(Stage::Fetch, fault))
        })?;
    }
    check_provider(object, &namespace, data.as_ref())?;
    let unable = |why: String| {
        let shown = masked_url(&object.spec.url);
        let message =
            format!("failed to checkout and determine revision: unable to clone '{shown}'");
        failed(Stage::Fetch, message, reason::GIT_OPERATION_FAILED, why)
    };
    if let Some(why) = nowhere {
        return Err(unable(why).into());
    }
    let Some((mut credentials, tls)) = authentication else {
        let access = ssh(object, &namespace, data.as_ref(), means, proxy)?.into();
        return Ok(Way { access, token: None });
    };
    let issued = issued(client, object, &url, data.as_ref(), means, &tls, proxy.as_ref()).await?;
    let mut token = None;
    if let Some((issued, key)) = issued {
        (credentials, token) = (issued, Some(key));
    }
    if let (Some((chain, key)), "https") = (&tls.identity, url.scheme()) {
        secret_data::check_pair(chain, key).map_err(|why| unable(format!("tls: {why}")))?;
    }
    let transport = means.transports.get(&url, &tls, proxy.as_ref()).map_err(|error| {
        let message = "failed to create Git client";
        failed(Stage::Fetch, message, reason::GIT_OPERATION_FAILED, error)
    })?;
    Ok(Way { access: transport.with_credentials(credentials).into(), token })
}

/// The URL of a repository, if both Go and we can read it, and why Go's client could not go there
/// once all else is known.
fn parsed(text: &str) -> Result<(Url, Option<String>), Failure> {
    let refused = |why: String| {
        let message = format!("failed to parse url '{}'", masked_url(text));
        let fault = Fault::new(Class::Invalid, message).reason(reason::URL_INVALID).because(why);
        Failure::new(Stage::Validate, fault)
    };
    let Some(why) = go_dial_refusal(text) else {
        let url = go_url(text).map_err(refused)?;
        // go-git writes the path behind the query, and then wonders where it was led to.
        let misled = url.query().is_some() || url.fragment().is_some();
        let path = quoted(url.path());
        let why = format!("http redirect: target {path} does not end with /info/refs");
        let of_http = matches!(url.scheme(), "http" | "https");
        return Ok((url, (misled && of_http).then_some(why)));
    };
    if let Some(why) = go_url_refusal(&masked_url(text)) {
        return Err(refused(why));
    }
    // What else there is in the URL counts before it is found to lead nowhere.
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let user = rest[..end].rsplit_once('@').map_or("", |(user, _)| user);
    let at = if user.is_empty() { "" } else { "@" };
    let url = go_url(&format!("{scheme}://{user}{at}nowhere.invalid{}", &rest[end..]));
    let why = match scheme {
        "http" | "https" => {
            let place = masked_url(text.trim_end_matches('/'));
            let place = if end == 0 && rest.is_empty() { format!("{scheme}://") } else { place };
            let target = format!("{place}/info/refs?service=git-upload-pack");
            format!("Get {}: {why}", quoted(&target))
        }
        _ => why,
    };
    Ok((url.map_err(refused)?, Some(why)))
}

fn ssh(
    object: &GitRepository,
    namespace: &str,
    data: Option<&Data>,
    means: &GitMeans,
    proxy: Option<Url>,
) -> Result<SshTransport, Failure> {
    let value = |key: &str| data.and_then(|data| data.get(key)).cloned().unwrap_or_default();
    let identity = SshIdentity::Key {
        pem: Secret::new(value("identity")),
        passphrase: Some(Secret::new(value("password"))),
    };
    let transport = SshTransport::new(&identity, &value("known_hosts")).map_err(|error| {
        let reference = object.spec.secret_ref.as_ref();
        let name = reference.map(|reference| reference.name.as_str()).unwrap_or_default();
        if matches!(error, SourceError::Encrypted) {
            let message = format!(
                "SSH identity key is encrypted but no 'password' field was provided in the secret \
                 '{namespace}/{name}'"
            );
            let fault = Fault::new(Class::Transient, message).reason(reason::AUTHENTICATION_FAILED);
            return Failure::new(Stage::Fetch, fault);
        }
        let message = "failed to checkout and determine revision: unable to construct auth method \
                       with options";
        failed(Stage::Fetch, message, reason::GIT_OPERATION_FAILED, error)
    })?;
    Ok(transport.with_algorithms(means.algorithms.clone()).with_proxy(proxy.map(SafeUrl::from)))
}

/// Credentials that a provider issues for a repository, and under what they are remembered.
async fn issued(
    client: &Client,
    object: &GitRepository,
    url: &Url,
    data: Option<&Data>,
    means: &GitMeans,
    tls: &Tls,
    proxy: Option<&Url>,
) -> Result<Option<(GitCredentials, CacheKey)>, Failure> {
    let provider = object.spec.provider.unwrap_or_default();
    if provider == GitProvider::Generic {
        return Ok(None);
    }
    let namespace = object.namespace().unwrap_or_default();
    let identities = &means.identities;
    let about = ("GitRepository", &Key::new(namespace.as_str(), object.name_any()));
    let shown = proxy.map(Url::to_string).unwrap_or_default();
    let mut options =
        HttpOptions { proxy: proxy.cloned().map(SafeUrl::from), ..Default::default() };
    if provider == GitProvider::GitHub {
        options.authorities.clone_from(&tls.authorities);
        options.identity.clone_from(&tls.identity);
        let http = HttpClient::new(&options).map_err(denied)?;
        let value = |key: &str| data.and_then(|data| data.get(key)).map(Vec::as_slice);
        let app = GitHubApp::from_values(value).map_err(denied)?;
        let key = app.cache_key().with("proxy", shown);
        let fetch = || app.token(&http, &*identities.clock);
        let token = identities.token(about, &key, fetch).await.map_err(denied)?;
        return Ok(Some((basic(token), key)));
    }
    let account = object.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    let context = identities.context(client, &namespace, account, &options).await?;
    let failed =
        |error: AuthError| denied(error.during("failed to get access token for Git repository"));
    if provider == GitProvider::Azure {
        let key = context.azure_cache_key(AZURE_DEVOPS_SCOPE).with("proxy", shown);
        let fetch = || azure_token(&context, AZURE_DEVOPS_SCOPE);
        let token = identities.token(about, &key, fetch).await.map_err(failed)?;
        return Ok(Some((GitCredentials::Bearer(token.secret), key)));
    }
    let region = code_commit_region(url).map_err(denied)?;
    let key = context.aws_cache_key(region, None).with("proxy", shown).with("git", url.as_str());
    let fetch = || async {
        let keys = aws_credentials(&context, region, None).await?;
        code_commit_credentials(url, &keys, &*context.clock)
    };
    let token = identities.token(about, &key, fetch).await.map_err(failed)?;
    Ok(Some((basic(token), key)))
}

fn basic(token: Token) -> GitCredentials {
    GitCredentials::Basic { username: token.username.unwrap_or_default(), password: token.secret }
}

/// Follows the checks of Flux's `git.NewAuthOptions`.
fn authentication(url: &Url, data: Option<&Data>) -> Result<Option<(GitCredentials, Tls)>, String> {
    let value = |key: &str| data.and_then(|data| data.get(key)).filter(|value| !value.is_empty());
    let text = |key: &str| value(key).map(|value| String::from_utf8_lossy(value).into_owned());
    match url.scheme() {
        "http" | "https" => {}
        "ssh" => {
            for key in ["identity", "known_hosts"] {
                if value(key).is_none() {
                    return Err(format!("invalid 'ssh' auth option: '{key}' is required"));
                }
            }
            return Ok(None);
        }
        scheme => return Err(format!("unknown transport '{scheme}'")),
    }
    let token = value("bearerToken").cloned();
    let (mut username, mut password) = match token {
        Some(_) => (String::new(), String::new()),
        None => (text("username").unwrap_or_default(), text("password").unwrap_or_default()),
    };
    if username.is_empty() {
        url.username().clone_into(&mut username);
    }
    if password.is_empty() {
        url.password().unwrap_or_default().clone_into(&mut password);
    }
    if username.is_empty() && !password.is_empty() {
        let scheme = url.scheme();
        return Err(format!(
            "invalid '{scheme}' auth option: 'password' requires 'username' to be set"
        ));
    }
    let tls = Tls {
        authorities: value("ca.crt").or_else(|| value("caFile")).cloned(),
        identity: value("tls.crt")
            .zip(value("tls.key"))
            .map(|(chain, key)| (chain.clone(), Secret::new(key.clone()))),
        ..Tls::default()
    };
    let credentials = match token {
        Some(_) if !username.is_empty() => {
            return Err("basic auth and bearer token cannot be set at the same time".to_owned());
        }
        Some(token) => GitCredentials::Bearer(Secret::new(token)),
        None if username.is_empty() => GitCredentials::Anonymous,
        None => GitCredentials::Basic { username, password: Secret::from(password) },
    };
    Ok(Some((credentials, tls)))
}

/// What Flux refuses of an app's Secret without saying so in the status: it reads all that the
/// Secret may hold, credentials that it does not need too.
fn check_app_secret(data: &Data, place: &str) -> Result<(), String> {
    secret_data::basic(data, &format!("'{place}'"))?;
    let has = |key: &str| data.contains_key(key);
    let installations = ["githubAppInstallationOwner", "githubAppInstallationID"];
    if has_app(data) && has(installations[0]) == has(installations[1]) {
        let [owner, id] = installations;
        return Err(format!("secret '{place}' must contain exactly one of '{owner}' or '{id}'"));
    }
    secret_data::tls(data).map(drop)
}

/// Whether a Secret has what an app of GitHub needs, whatever it says.
fn has_app(data: &Data) -> bool {
    data.contains_key("githubAppID") && data.contains_key("githubAppPrivateKey")
}

fn check_provider(
    object: &GitRepository,
    namespace: &str,
    data: Option<&Data>,
) -> Result<(), Failure> {
    let app = data.is_some_and(|data| data.get("githubAppID").is_some_and(|id| !id.is_empty()));
    let invalid = |stage, class, message: String| {
        let fault = Fault::new(class, message).reason(reason::INVALID_PROVIDER_CONFIGURATION);
        Err(Failure::new(stage, fault))
    };
    match object.spec.provider.unwrap_or_default() {
        GitProvider::GitHub => {
            let message =
                "secretRef with github app data must be specified when provider is set to github";
            match data {
                // Only a new spec can help; a Secret may yet get what is missing.
                None => invalid(Stage::Validate, Class::Invalid, message.to_owned()),
                Some(data) if has_app(data) => Ok(()),
                Some(_) => invalid(Stage::Fetch, Class::Invalid, message.to_owned()),
            }
        }
        GitProvider::Aws | GitProvider::Azure => Ok(()),
        GitProvider::Generic if app => {
            let name = object.spec.secret_ref.as_ref().map(|reference| reference.name.as_str());
            let message = format!(
                "secretRef '{namespace}/{}' has github app data but provider is not set to github",
                name.unwrap_or_default()
            );
            invalid(Stage::Fetch, Class::Invalid, message)
        }
        GitProvider::Generic => Ok(()),
    }
}

async fn proxy(client: &Client, namespace: &str, name: &str) -> Result<Url, Failure> {
    proxy_url(client, namespace, name).await.map_err(|why| {
        let message = "failed to configure proxy options";
        failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, why)
    })
}

/// The proxy that a Secret names, or why it does not.
pub(super) async fn proxy_url(client: &Client, namespace: &str, name: &str) -> Result<Url, String> {
    let data = referenced(client, namespace, name).await?;
    secret_data::proxy(&data, &format!("'{namespace}/{name}'"))
}

/// [`secret`] for TLS, a proxy or a service account, where Flux has other words for what is missing.
pub(super) async fn referenced(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Data, String> {
    secret(client, namespace, name).await.map_err(|why| not_there(namespace, name, &why))
}

/// Why a Secret could not be read, for [`referenced`].
pub(super) fn not_there(namespace: &str, name: &str, why: &str) -> String {
    if why.ends_with("not found") {
        return format!("secret '{namespace}/{name}' not found");
    }
    format!("failed to get secret '{namespace}/{name}': {why}")
}

/// The data of a Secret, or what the API server says, e.g. `secrets "x" not found`.
pub(super) async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Data, String> {
    let secrets: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
    match secrets.get(name).await {
        Ok(secret) => {
            let data = secret.data.unwrap_or_default();
            Ok(data.into_iter().map(|(key, value)| (key, value.0)).collect())
        }
        Err(error) => Err(api_text(error)),
    }
}

/// What the API server said.
pub(super) fn api_text(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => gitops_core::one_line(&error),
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::one_line;

    use super::*;

    fn of(url: &str, data: &[(&str, &str)]) -> Result<Option<(GitCredentials, Tls)>, String> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        authentication(&url.parse().unwrap(), Some(&data.iter().map(own).collect()))
    }

    #[test]
    fn credentials_of_secrets_and_urls() {
        let basic = |username: &str, password: &str| GitCredentials::Basic {
            username: username.into(),
            password: password.into(),
        };
        for (url, data, expected) in [
            ("http://h/r", &[][..], GitCredentials::Anonymous),
            ("http://u:p@h/r", &[], basic("u", "p")),
            ("http://u:p@h/r", &[("username", "x"), ("password", "y")], basic("x", "y")),
            ("http://h/r", &[("username", "x")], basic("x", "")),
            ("https://h/r", &[("bearerToken", "t")], GitCredentials::Bearer("t".into())),
        ] {
            assert_eq!(of(url, data).unwrap().unwrap().0, expected, "{url} {data:?}");
        }
        for (url, data, text) in [
            ("http://h/r", &[("password", "y")][..], "'password' requires 'username'"),
            ("http://u@h/r", &[("bearerToken", "t")], "cannot be set at the same time"),
            ("ssh://h/r", &[], "'identity' is required"),
            ("ssh://h/r", &[("identity", "k")], "'known_hosts' is required"),
            ("ftp://h/r", &[], "unknown transport 'ftp'"),
        ] {
            let error = of(url, data).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
        let (_, tls) = of("https://h/r", &[("ca.crt", "a"), ("caFile", "b"), ("tls.crt", "c")])
            .unwrap()
            .unwrap();
        assert_eq!(tls.authorities.unwrap(), b"a");
        assert!(tls.identity.is_none(), "a certificate without its key");
    }

    #[test]
    fn urls_that_lead_nowhere() {
        let port = "dial tcp: address 70000: invalid port";
        let misled = "http redirect: target \"/a.git\" does not end with /info/refs";
        let get = |place: &str, why: &str| {
            Some(format!("Get \"{place}/info/refs?service=git-upload-pack\": {why}"))
        };
        for (url, why) in [
            ("http://h:70000/a.git", get("http://h:70000/a.git", port)),
            ("http://u@h:70000/a.git", get("http://***@h:70000/a.git", port)),
            ("http://", get("http://", "http: no Host in request URL")),
            ("http:///a.git", get("http:///a.git", "http: no Host in request URL")),
            ("ssh://git@h:70000/a.git", Some(port.to_owned())),
            ("http://h/a.git?x=1", Some(misled.to_owned())),
            ("https://h/a.git#x", Some(misled.to_owned())),
            ("ssh://h/a.git?x=1", None),
            ("https://h:65535/a.git", None),
        ] {
            assert_eq!(parsed(url).unwrap().1, why, "{url}");
        }
        let error = parsed("http://h:70000/%zz").unwrap_err();
        assert!(one_line(&*error.error).contains("invalid URL escape"), "{error:?}");
    }
}
