//! Trust policies of notation: for which repositories whose signatures count, and how much of them
//! must be good.

use serde::Deserialize;

use super::{super::VerifyError, envelope::SigningScheme};

/// A trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    statements: Vec<Statement>,
}

/// What holds for some repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) name: String,
    scopes: Vec<String>,
    pub(super) level: Level,
    pub(super) verify_timestamp: VerifyTimestamp,
    stores: Vec<String>,
    pub(super) identities: Vec<String>,
}

/// How much of a signature must be good. Its integrity must be, unless nothing is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) authenticity: Action,
    pub(super) timestamp: Action,
    pub(super) expiry: Action,
    pub(super) revocation: Action,
    skip: bool,
}

/// When timestamps are asked for, where the policy names a store for their authorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum VerifyTimestamp {
    /// For each signature.
    #[default]
    #[serde(rename = "always", alias = "")]
    Always,
    /// Where a certificate of the signer has expired.
    #[serde(rename = "afterCertExpiry")]
    AfterExpiry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Enforce,
    Log,
    Skip,
}

impl Level {
    const STRICT: Self = Self {
        authenticity: Action::Enforce,
        timestamp: Action::Enforce,
        expiry: Action::Enforce,
        revocation: Action::Enforce,
        skip: false,
    };
    pub(super) const SKIP: Self = Self {
        authenticity: Action::Skip,
        timestamp: Action::Skip,
        expiry: Action::Skip,
        revocation: Action::Skip,
        skip: true,
    };

    fn named(name: &str) -> Option<Self> {
        let log = Action::Log;
        Some(match name {
            "strict" => Self::STRICT,
            "permissive" => Self { timestamp: log, expiry: log, revocation: log, ..Self::STRICT },
            "audit" => Self {
                authenticity: log,
                timestamp: log,
                expiry: log,
                revocation: log,
                skip: false,
            },
            "skip" => Self::SKIP,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    version: String,
    #[serde(default)]
    trust_policies: Vec<StatementDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatementDocument {
    #[serde(default)]
    name: String,
    #[serde(default)]
    registry_scopes: Vec<String>,
    signature_verification: VerificationDocument,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationDocument {
    level: String,
    #[serde(default)]
    verify_timestamp: VerifyTimestamp,
    #[serde(rename = "override", default)]
    overrides: std::collections::BTreeMap<String, String>,
}

impl TrustPolicy {
    /// Reads a `trustpolicy.json`.
    ///
    /// # Errors
    /// When it is malformed, or says two things of one repository.
    pub fn parse(json: &[u8]) -> Result<Self, VerifyError> {
        let invalid = |why: String| VerifyError::invalid(format!("trust policy: {why}"));
        let document: Document = serde_json::from_slice(json).map_err(|error| {
            VerifyError::invalid(format!("error occurred while parsing trustpolicy.json: {error}"))
        })?;
        if document.version.is_empty() {
            let why = "trust policy document has empty version, version must be specified";
            return Err(VerifyError::invalid(why));
        }
        if document.version != "1.0" {
            return Err(invalid(format!("version \"{}\" is not supported", document.version)));
        }
        if document.trust_policies.is_empty() {
            return Err(invalid("there is no statement".into()));
        }
        let mut policy = Self { statements: Vec::new() };
        for own in document.trust_policies {
            let statement = Statement::new(own).map_err(&invalid)?;
            for other in &policy.statements {
                let twice = statement.scopes.iter().find(|scope| other.scopes.contains(scope));
                if let Some(scope) = twice {
                    let why = format!("registry scope \"{scope}\" is in two statements");
                    return Err(invalid(why));
                }
                if other.name == statement.name {
                    return Err(invalid(format!("two statements are named \"{}\"", other.name)));
                }
            }
            policy.statements.push(statement);
        }
        Ok(policy)
    }

    /// The statement for a repository: the one that names it, else the one for all.
    pub(super) fn applicable(&self, repository: &str) -> Option<&Statement> {
        let of = |scope: &str| {
            self.statements.iter().find(|own| own.scopes.iter().any(|own| own == scope))
        };
        of(repository).or_else(|| of("*"))
    }
}

impl Statement {
    fn new(document: StatementDocument) -> Result<Self, String> {
        let StatementDocument { name, registry_scopes: scopes, .. } = document;
        let wrong = |what: &str| format!("statement \"{name}\": {what}");
        if name.is_empty() {
            return Err("a statement has no name".into());
        }
        let wildcard = scopes.iter().any(|scope| scope == "*");
        if scopes.is_empty() || (wildcard && scopes.len() > 1) {
            return Err(wrong("registry scopes must be \"*\" alone, or repositories"));
        }
        let verification = document.signature_verification;
        let level = Level::named(&verification.level);
        let mut level = level.ok_or_else(|| wrong("unknown verification level"))?;
        for (check, action) in &verification.overrides {
            let action = match action.as_str() {
                "enforce" => Action::Enforce,
                "log" => Action::Log,
                "skip" => Action::Skip,
                _ => return Err(wrong("unknown action")),
            };
            match check.as_str() {
                "authenticity" if !level.skip => level.authenticity = action,
                "authenticTimestamp" if !level.skip => level.timestamp = action,
                "expiry" if !level.skip => level.expiry = action,
                "revocation" if !level.skip => level.revocation = action,
                _ => return Err(wrong("this check cannot be overridden")),
            }
        }
        let verify_timestamp = verification.verify_timestamp;
        let (stores, identities) = (document.trust_stores, document.trusted_identities);
        if level.skip {
            let (stores, identities) = (Vec::new(), Vec::new());
            return Ok(Self { name, scopes, level, verify_timestamp, stores, identities });
        }
        if stores.is_empty() || identities.is_empty() {
            return Err(wrong("trust stores and trusted identities must be named"));
        }
        let known = |store: &String| {
            let (kind, own) = store.split_once(':').unwrap_or_default();
            ["ca", "signingAuthority", "tsa"].contains(&kind) && !own.is_empty()
        };
        if !stores.iter().all(known) {
            return Err(wrong(
                "a trust store must be named ca:NAME, signingAuthority:NAME or tsa:NAME",
            ));
        }
        let any = identities.iter().any(|identity| identity == "*");
        let subjects = identities.iter().all(|own| own == "*" || parts(own).is_some());
        if (any && identities.len() > 1) || !subjects {
            return Err(wrong("trusted identities must be \"*\" alone, or x509.subject:…"));
        }
        Ok(Self { name, scopes, level, verify_timestamp, stores, identities })
    }

    pub(super) fn names_store(&self, scheme: SigningScheme) -> bool {
        let kind = match scheme {
            SigningScheme::X509 => "ca:",
            SigningScheme::SigningAuthority => "signingAuthority:",
        };
        self.stores.iter().any(|store| store.starts_with(kind))
    }

    pub(super) fn names_timestampers(&self) -> bool {
        self.stores.iter().any(|store| store.starts_with("tsa:"))
    }

    /// Whether all that an identity says of a subject is so.
    pub(super) fn trusts(&self, subject: &[(String, String)]) -> bool {
        self.identities.iter().any(|identity| {
            identity == "*"
                || parts(identity)
                    .is_some_and(|wanted| wanted.iter().all(|part| subject.contains(part)))
        })
    }
}

/// `x509.subject: C=US, O=acme` as pairs; the country, state and organization must be there.
fn parts(identity: &str) -> Option<Vec<(String, String)>> {
    let text = identity.strip_prefix("x509.subject:")?;
    let mut all: Vec<(String, String)> = Vec::new();
    let mut current = String::new();
    let mut characters = text.chars();
    let mut pieces = Vec::new();
    while let Some(c) = characters.next() {
        match c {
            '\\' => current.extend(characters.next()),
            ',' => pieces.push(std::mem::take(&mut current)),
            c => current.push(c),
        }
    }
    pieces.push(current);
    for piece in pieces {
        let (key, value) = piece.split_once('=')?;
        let key = match key.trim().to_ascii_uppercase() {
            key if key == "S" => "ST".to_owned(),
            key => key,
        };
        if all.iter().any(|(own, _)| *own == key) {
            return None;
        }
        all.push((key, value.trim().to_owned()));
    }
    let has = |key: &str| all.iter().any(|(own, _)| own == key);
    (has("C") && has("ST") && has("O")).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(level: &str, scopes: &str, identity: &str) -> String {
        format!(
            r#"{{"version": "1.0", "trustPolicies": [{{"name": "p", "registryScopes": [{scopes}],
            "signatureVerification": {level}, "trustStores": ["ca:s"],
            "trustedIdentities": ["{identity}"]}}]}}"#
        )
    }

    #[test]
    fn statements_apply_to_their_repositories() {
        let json = policy(r#"{"level": "strict"}"#, r#""h/o/r""#, "*");
        let policy = TrustPolicy::parse(json.as_bytes()).unwrap();
        assert!(policy.applicable("h/o/r").is_some() && policy.applicable("h/o/s").is_none());
        let subject = |text: &str| parts(&format!("x509.subject:{text}")).unwrap();
        let own = subject("C=US, ST=WA, O=acme, CN=x");
        let statement = policy.applicable("h/o/r").unwrap();
        assert!(statement.trusts(&own));
        let mut statement = statement.clone();
        statement.identities = vec!["x509.subject: C=US, ST=WA, O=acme".into()];
        assert!(statement.trusts(&own));
        assert!(!statement.trusts(&subject("C=US, ST=WA, O=other")));
    }

    #[test]
    fn malformed_policies_are_refused() {
        let good = r#"{"level": "strict"}"#;
        for (json, why) in [
            (policy(r#"{"level": "lax"}"#, r#""*""#, "*"), "unknown verification level"),
            (policy(good, r#""*", "h/r""#, "*"), "registry scopes"),
            (policy(good, r#""*""#, "x509.subject: O=acme"), "trusted identities"),
            (
                policy(r#"{"level": "strict", "override": {"integrity": "log"}}"#, r#""*""#, "*"),
                "cannot be overridden",
            ),
            ("{".to_owned(), "error occurred while parsing"),
            ("{}".to_owned(), "trust policy document has empty version, version must be specified"),
            (r#"{"version": "2", "trustPolicies": []}"#.to_owned(), "version"),
        ] {
            let error = TrustPolicy::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
