//! Keys and certificates, read again by a parser of their own and by openssl where it is installed.

use std::{cell::Cell, process::Command};

use gitops_core::Scope;
use jiff::Timestamp;

use crate::{Functions, HelmVersion, Host, Map, Options, Sealed, Templates, helm};

/// A host whose chance is a small generator, so that failures come again.
#[derive(Debug, Default)]
struct Dice(Cell<u64>);

impl Host for Dice {
    fn now(&self) -> Timestamp {
        "2026-11-21T00:00:00Z".parse().unwrap()
    }

    fn random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let mut word = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.0.set(word);
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (word ^ word >> 31).to_le_bytes()[0];
        }
    }
}

fn render_on(host: &dyn Host, text: &str) -> Result<String, String> {
    let functions = Functions::builtin().with(helm(HelmVersion::V4));
    let mut templates = Templates::new(functions);
    templates.add("t", text).unwrap();
    templates
        .render("t", Map::new().into(), Options::default(), host, &Scope::background())
        .map_err(|error| error.message().to_owned())
}

fn render(text: &str) -> Result<String, String> {
    render_on(&Dice::default(), text)
}

/// What `openssl x509` says; nothing where it is not installed.
fn openssl(name: &str, arguments: &[&str], text: &str) -> Option<String> {
    let file = std::env::temp_dir().join(format!("gitops-template-{}-{name}", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let output = Command::new("openssl").args(arguments).arg("-in").arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    let output = output.ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn certificates_say_what_was_asked_for() {
    let text = render(
        "{{ $ca := genCA \"my-ca\" 365 }}{{ $ca.Cert }}@@{{ $c := genSignedCert \"foo*.com\" \
         (list \"10.0.0.1\" \"::1\") (list \"bar.com\" \"bat.com\") 30 $ca }}{{ $c.Cert }}@@{{ \
         (genSignedCertWithKey \"e\" nil nil 1 $ca (genPrivateKey \"ed25519\")).Cert }}@@{{ \
         (genSelfSignedCertWithKey \"p\" nil (list \"x\") 1 (genPrivateKey \"ecdsa\")).Cert }}",
    )
    .unwrap();
    let parts: Vec<&str> = text.split("@@").collect();
    let Some(ca) = openssl("ca", &["x509", "-noout", "-text"], parts[0]) else { return };
    for line in [
        "Issuer: CN = my-ca",
        "Not After : Nov 21 00:00:00 2027 GMT",
        "Digital Signature, Key Encipherment, Certificate Sign",
        "CA:TRUE",
        "X509v3 Subject Key Identifier",
    ] {
        assert!(ca.replace("CN=", "CN = ").contains(line), "no {line} in {ca}");
    }
    let signed = openssl("signed", &["x509", "-noout", "-text"], parts[1]).unwrap();
    for line in [
        "CN = foo*.com",
        "DNS:bar.com, DNS:bat.com, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "X509v3 Authority Key Identifier",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "CA:FALSE",
    ] {
        assert!(signed.replace("CN=", "CN = ").contains(line), "no {line} in {signed}");
    }
    let file = std::env::temp_dir().join(format!("gitops-template-{}-root", std::process::id()));
    std::fs::write(&file, parts[0]).unwrap();
    let root = file.to_str().unwrap();
    for (name, certificate, anchor) in
        [("a", parts[1], parts[0]), ("b", parts[2], parts[0]), ("c", parts[3], parts[3])]
    {
        std::fs::write(&file, anchor).unwrap();
        let leaf =
            std::env::temp_dir().join(format!("gitops-template-{}-{name}", std::process::id()));
        std::fs::write(&leaf, certificate).unwrap();
        let verified = Command::new("openssl")
            .args(["verify", "-attime", "1795300000", "-CAfile", root])
            .arg(&leaf)
            .output()
            .unwrap();
        std::fs::remove_file(&leaf).unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn keys_are_read_again() {
    for (kind, header) in
        [("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY"), ("dsa", "DSA PRIVATE KEY")]
    {
        let text = render(&format!("{{{{ genPrivateKey {kind:?} }}}}")).unwrap();
        assert!(text.starts_with(&format!("-----BEGIN {header}-----\n")), "{text}");
        let key = super::key::Key::parse(&text).unwrap();
        assert_eq!(key.to_pem().unwrap(), text);
        openssl(kind, &["pkey", "-noout"], &text);
    }
    let pair = render("{{ $c := genCA \"x\" 1 }}{{ $c.Key }}").unwrap();
    let key = super::key::Key::parse(&pair).unwrap();
    assert_eq!(key.to_pem().unwrap(), pair);
    openssl("rsa", &["rsa", "-noout", "-check"], &pair);
}

#[test]
fn errors_are_sprigs() {
    for (text, error) in [
        ("{{ genPrivateKey \"x\" }}", Ok("Unknown type x")),
        (
            "{{ genSelfSignedCert \"a\" (list 1) nil 1 }}",
            Err("error parsing ip: 1 is not a string"),
        ),
        ("{{ genCAWithKey \"a\" 1 \"x\" }}", Err("parsing private key: no PEM data in input")),
        (
            "{{ genCAWithKey \"a\" 1 (genPrivateKey \"dsa\") }}",
            Err("error creating certificate: x509: only RSA, ECDSA and Ed25519 keys supported"),
        ),
        (
            "{{ genSignedCertWithKey \"a\" nil nil 1 (buildCustomCert \"eA==\" \"eA==\") \"\" }}",
            Err("unable to decode certificate"),
        ),
        (
            "{{ $a := genCAWithKey \"a\" 1 (genPrivateKey \"ecdsa\") }}{{ $b := genCAWithKey \"b\" 1 \
             (genPrivateKey \"ecdsa\") }}{{ $c := buildCustomCert (b64enc $a.Cert) (b64enc $b.Key) }}\
             {{ genSignedCertWithKey \"a\" nil nil 1 $c $a.Key }}",
            Err("error creating certificate: x509: provided PrivateKey doesn't match parent's \
                 PublicKey"),
        ),
    ] {
        let got = render(text);
        assert_eq!(got.as_deref().map_err(String::as_str), error, "{text}");
    }
}

#[test]
fn a_host_without_chance_makes_no_keys() {
    for text in
        ["{{ genCA \"x\" 1 }}", "{{ genPrivateKey \"ecdsa\" }}", "{{ genPrivateKey \"dsa\" }}"]
    {
        assert!(render_on(&Sealed, text).unwrap_err().contains("random bytes"), "{text}");
    }
}

#[test]
fn passwords_are_what_others_know() {
    // Known answers for the salt that the sealed host gives, from another implementation.
    for (password, hash) in
        [("", "F5mzCEQ5E01or2Zs1UUMeqS/7rfVb16"), ("secret", "a8yCYP74N5C7MbVWc4itOGadCb9nAeG")]
    {
        let got = render_on(&Sealed, &format!("{{{{ bcrypt {password:?} }}}}")).unwrap();
        assert_eq!(got, format!("$2a$10$......................{hash}"));
    }
    let long = render("{{ bcrypt (repeat 73 \"a\") }}").unwrap();
    assert!(long.ends_with("bcrypt: password length exceeds 72 bytes"), "{long}");
    assert_eq!(render("{{ htpasswd \"a:b\" \"c\" }}").unwrap(), "invalid username: a:b");
    assert_eq!(
        render("{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}").unwrap(),
        "ZedaFaxcZaso9*"
    );
    assert_eq!(
        render("{{ encryptAES \"k\" \"plain text of more than a block\" | decryptAES \"k\" }}")
            .unwrap(),
        "plain text of more than a block"
    );
    for (text, error) in [
        ("{{ decryptAES \"k\" \"AAAA\" }}", "slice bounds out of range [:16] with capacity 3"),
        ("{{ decryptAES \"k\" \"!\" }}", "illegal base64 data at input byte 0"),
        ("{{ decryptAES \"k\" (b64enc (repeat 17 \"a\")) }}", "input not full blocks"),
    ] {
        let got = render(text).unwrap_err();
        assert!(got.ends_with(error), "{got}");
    }
}
