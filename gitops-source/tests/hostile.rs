//! Which test shows what each row of the list of attacks on sources asks for, and the rows on servers
//! that have too much to do.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode};
use gitops_core::{Class, Classify as _, Digest, Scope, one_line};
use gitops_source::{
    AzureBucket, AzureCredentials, BucketEndpoint, BucketSource, BucketStore, GcsBucket,
    GcsCredentials, GitReference, GitSource, HelmRepositories, HelmRepository, OciReference,
    OciSource, S3Bucket, S3Credentials, Source as _, SourceError, Tls,
};

/// Row, file and test.
const ROWS: &str = "\
32: gitops-source/tests/oci/hostile.rs archives_that_climb_link_or_burst
32: gitops-helm/tests/hostile.rs links_are_empty_files
33: gitops-source/tests/oci/hostile.rs archives_that_climb_link_or_burst
33: gitops-helm/tests/hostile.rs archives_that_grow
34: gitops-cli/tests/helm/main.rs a_lock_file_that_is_a_link_is_not_written_through
38: gitops-source/tests/helm/repository.rs an_index_is_checked_and_stored_in_one_form
38: gitops-helm/tests/hostile.rs documents_that_grow
39: gitops-source/tests/helm/repository.rs an_index_is_checked_and_stored_in_one_form
39: gitops-helm/tests/hostile.rs names_that_hide
40: gitops-source/tests/helm/repository.rs bodies_without_end_and_drop_by_drop_are_given_up
41: gitops-helm/tests/hostile.rs metadata_of_the_wrong_shape
50: gitops-source/tests/helm/repository.rs credentials_stay_with_their_server
50: gitops-source/tests/oci/registry.rs credentials_stay_at_home_when_blobs_are_elsewhere
51: gitops-source/tests/helm/repository.rs packages_are_those_of_the_index
51: gitops-source/tests/oci/hostile.rs manifests_that_lie_or_lead_nowhere
51: gitops-source/tests/oci/hostile.rs a_tag_that_moves_between_two_requests_changes_nothing
51: gitops-helm/src/provenance/tests.rs what_was_signed_verifies_and_nothing_else
56: gitops-source/tests/git/fetch.rs hostile_trees_are_refused_and_odd_ones_are_read
57: gitops-source/tests/git/fetch.rs hostile_trees_are_refused_and_odd_ones_are_read
58: gitops-source/tests/git/fetch.rs hostile_trees_are_refused_and_odd_ones_are_read
59: gitops-source/tests/git/hostile.rs packs_that_lie
60: gitops-source/tests/git/signatures.rs what_was_tampered_with_does_not_verify
61: gitops-source/tests/git/submodules.rs hostile_submodules_are_refused
61: gitops-source/tests/git/submodules.rs a_repository_within_itself_has_an_end
62: gitops-source/tests/git/fetch.rs odd_names_of_references_are_not_found
62: gitops-source/tests/git/hostile.rs floods_of_references
63: gitops-source/tests/git/fetch.rs filters_hooks_and_pointers_are_plain_files
64: gitops-source/tests/git/fetch.rs a_redirect_is_followed_without_credentials
64: gitops-source/tests/git/hostile.rs redirects_to_nowhere
65: gitops-source/tests/git/ssh.rs a_host_key_must_be_known
65: gitops-source/tests/git/hostile.rs hosts_that_flood_hang_or_speak_something_else
65: gitops-source/tests/git/hostile.rs a_short_host_key_is_refused
66: gitops-source/tests/git/signatures.rs a_revoked_key_is_none
66: gitops-source/tests/git/signatures.rs what_was_tampered_with_does_not_verify
67: gitops-source/tests/oci/hostile.rs manifests_that_lie_or_lead_nowhere
67: gitops-source/tests/oci/registry.rs sizes_are_bounded_as_bytes_arrive
68: gitops-source/tests/oci/hostile.rs archives_that_climb_link_or_burst
69: gitops-source/tests/oci/hostile.rs archives_that_climb_link_or_burst
70: gitops-source/tests/bucket/dialects.rs hostile_buckets_are_bounded
71: gitops-controllers/tests/canary.rs secrets_of_sources_are_told_nowhere
71: gitops-source/tests/bucket/dialects.rs refusals_are_told_without_secrets
71: gitops-source/tests/bucket/dialects.rs shared_access_signatures_are_sent_and_not_shown
71: gitops-source/tests/oci/hostile.rs no_credential_is_told
72: gitops-source/tests/hostile.rs every_source_tells_when_to_come_again
72: gitops-source/tests/hostile.rs a_server_that_refuses_is_not_asked_in_a_storm
72: gitops-source/tests/oci/registry.rs a_token_serves_many_requests_and_is_renewed
72: gitops-controllers/tests/git_repository/tokens.rs a_refused_token_is_asked_for_anew_and_an_old_key_is_forgotten
72: gitops-controllers/tests/settle.rs an_overloaded_peer_is_left_alone_for_as_long_as_it_asks
73: gitops-source/tests/artifacts/life.rs serves_nothing_else
74: gitops-source/tests/artifacts/life.rs consumers_fail_closed
75: gitops-source/tests/artifacts/properties.rs globs_of_special_characters_end
110: gitops-source/tests/git/fetch.rs faults_end_in_errors_and_in_time
110: gitops-source/tests/git/hostile.rs greetings_of_all_kinds
110: gitops-source/tests/helm/repository.rs bodies_without_end_and_drop_by_drop_are_given_up
110: gitops-source/tests/oci/hostile.rs a_registry_that_trickles_is_given_up";

/// A server that refuses all, and how often it did.
async fn overloaded(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
) -> (SocketAddr, Arc<AtomicUsize>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let mut all = axum::http::HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, value.parse().unwrap());
        }
        async move { (StatusCode::from_u16(status).unwrap(), all, "too many") }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

/// What each kind of source says of such a server.
async fn failures(address: SocketAddr) -> Vec<(&'static str, SourceError)> {
    let scope = Scope::background();
    let mut all = Vec::new();
    let main = GitReference::Branch("main".into());
    let git = GitSource::new(format!("http://{address}/a.git"), main);
    all.push(("git", git.resolve(&scope).await.unwrap_err()));
    let latest = OciReference::Tag("latest".into());
    let oci = OciSource::new(&format!("oci://{address}/o/r"), latest).unwrap();
    all.push(("oci", oci.resolve(&scope).await.unwrap_err()));
    let url = format!("http://{address}/charts").parse().unwrap();
    let helm = HelmRepository::new(url, Tls::default());
    let index = HelmRepositories::default().index(&helm, None, &scope).await;
    all.push(("helm", index.map(|_| ()).unwrap_err()));
    let endpoint = |path: &str| BucketEndpoint::new(&format!("http://{address}{path}"), true);
    let keys = S3Credentials::Static { access_key: "id".into(), secret_key: "key".into() };
    let stores: [(&str, Arc<dyn BucketStore>); 3] = [
        ("s3", Arc::new(S3Bucket::new(endpoint("").unwrap(), "b", None, keys))),
        ("gcs", Arc::new(GcsBucket::new(endpoint("").unwrap(), "b", GcsCredentials::Anonymous))),
        (
            "azure",
            Arc::new(AzureBucket::new(
                endpoint("/account").unwrap(),
                "b",
                AzureCredentials::Anonymous,
            )),
        ),
    ];
    for (name, store) in stores {
        all.push((name, BucketSource::new(store, "b").index(&scope).await.unwrap_err()));
    }
    all
}

#[tokio::test]
async fn every_source_tells_when_to_come_again() {
    for status in [429, 503] {
        let (address, _) = overloaded(status, &[("retry-after", "7")]).await;
        for (name, error) in failures(address).await {
            let told = one_line(&error);
            assert_eq!(error.class(), Class::Transient, "{name} {status}: {told}");
            assert_eq!(
                error.retry_after(),
                Some(Duration::from_secs(7)),
                "{name} {status}: {told}"
            );
            // Some know words of the server's own in place of the number.
            assert!(!told.is_empty(), "{name}");
        }
    }
    // A date, and the server's clock is wrong by years.
    let dated = &[
        ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
        ("date", "Fri, 31 Dec 1999 23:58:59 GMT"),
    ];
    let (address, _) = overloaded(429, dated).await;
    for (name, error) in failures(address).await {
        assert_eq!(error.retry_after(), Some(Duration::from_mins(1)), "{name}");
    }
}

#[tokio::test]
async fn without_a_word_the_usual_back_off_holds() {
    for (status, headers) in [
        (429, &[][..]),
        (429, &[("retry-after", "soon")][..]),
        (500, &[("retry-after", "7")][..]),
        (502, &[][..]),
    ] {
        let (address, _) = overloaded(status, headers).await;
        for (name, error) in failures(address).await {
            assert_eq!(error.class(), Class::Transient, "{name} {status}");
            assert_eq!(error.retry_after(), None, "{name} {status} {headers:?}");
        }
    }
    // Neither patience nor credentials help where something is not there.
    let (address, _) = overloaded(404, &[("retry-after", "7")]).await;
    for (name, error) in failures(address).await {
        assert_eq!(error.retry_after(), None, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_not_asked_in_a_storm() {
    for (status, most) in [(429, 14), (401, 14), (403, 14)] {
        let (address, asked) = overloaded(status, &[("retry-after", "0")]).await;
        let count = failures(address).await.len();
        let asked = asked.load(Ordering::SeqCst);
        assert!((count..=most).contains(&asked), "{status}: asked {asked} times");
    }
}

/// An upload that is refused says so too: a push of artifacts is tried again by its caller.
#[tokio::test]
async fn a_blob_that_cannot_be_had_now() {
    let (address, _) = overloaded(429, &[("retry-after", "3600000")]).await;
    let source = OciSource::new(
        &format!("oci://{address}/o/r"),
        OciReference::Digest(Digest::sha256(b"x").to_string()),
    )
    .unwrap();
    let scope = Scope::background();
    let error = match source.resolve(&scope).await {
        Ok(at) => source.fetch(&at, &scope).await.map(|_| ()).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)), "nobody is kept away for ever");
}

/// The list above names tests that are there, and leaves no row out.
#[test]
fn every_row_has_a_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows = std::collections::BTreeSet::new();
    for line in ROWS.lines() {
        let (row, test) = line.split_once(": ").unwrap();
        let (file, name) = test.split_once(' ').unwrap();
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {name}(")), "row {row}: no test {name} in {file}");
        rows.insert(row.parse::<u32>().unwrap());
    }
    let wanted = (32..=34).chain(38..=41).chain(50..=51).chain(56..=75).chain([110]);
    assert!(rows.into_iter().eq(wanted));
}
