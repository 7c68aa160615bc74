//! `[[sign-in.providers]]`: the OpenID providers by which people may sign in.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::Deserialize;

use crate::cli::Failure;
use crate::config::{NewAccounts, OutboundSettings, ProviderSecret, ProviderSettings, SignInSettings};
use crate::outbound::may_be_asked;

const MOST_NAME_BYTES: usize = 32;
const MOST_TITLE_CHARACTERS: usize = 60;
/// What is asked for unless the file says otherwise.
const USUAL_SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// `[sign-in]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SignInSection {
    providers: Vec<ProviderSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ProviderSection {
    name: String,
    title: Option<String>,
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    new_accounts: Option<NewAccountsWord>,
    link_by_email: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NewAccountsWord {
    Refuse,
    Make,
}

/// The providers of the file, with their secrets from `variable` where it has them.
pub(super) fn sign_in(
    section: SignInSection,
    outbound: &OutboundSettings,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<SignInSettings, Failure> {
    let mut names = BTreeSet::new();
    let mut providers = Vec::new();
    for section in section.providers {
        let provider = provider(section, outbound, &variable)?;
        if !names.insert(provider.name.clone()) {
            return Err(unfit(&provider.name, "two providers have this name: give each its own"));
        }
        providers.push(provider);
    }
    Ok(SignInSettings { providers })
}

fn provider(
    section: ProviderSection,
    outbound: &OutboundSettings,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<ProviderSettings, Failure> {
    let name = section.name;
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MOST_NAME_BYTES || !name.bytes().all(is_fit) {
        return Err(unfit(&name, "a name has 1 to 32 lower-case letters, digits and '-'"));
    }
    let title = section.title.unwrap_or_else(|| name.clone()).trim().to_owned();
    let is_shown = !title.is_empty() && title.chars().count() <= MOST_TITLE_CHARACTERS;
    if !is_shown || title.contains(char::is_control) {
        return Err(unfit(&name, "title: give 1 to 60 characters on one line"));
    }
    check_issuer(&name, &section.issuer, outbound)?;
    if section.client_id.is_empty() || section.client_id.contains(char::is_control) {
        return Err(unfit(&name, "client-id: give the id under which this server is registered at the provider"));
    }
    let secret = variable(&secret_variable(&name)).or(section.client_secret).filter(|secret| !secret.is_empty());
    Ok(ProviderSettings {
        scopes: scopes(&name, section.scopes)?,
        title,
        issuer: section.issuer,
        client_id: section.client_id,
        client_secret: secret.map(ProviderSecret),
        new_accounts: match section.new_accounts {
            Some(NewAccountsWord::Make) => NewAccounts::Make,
            Some(NewAccountsWord::Refuse) | None => NewAccounts::Refuse,
        },
        link_by_email: section.link_by_email.unwrap_or(false),
        name,
    })
}

/// Spec: OpenID Connect Discovery 1.0 section 3: "https .. contains scheme, host, and optionally, port number and path
/// components and no query or fragment components"
fn check_issuer(name: &str, issuer: &str, outbound: &OutboundSettings) -> Result<(), Failure> {
    let wrong = "issuer: give it as the provider's documents say it: https, host and path, without query and fragment";
    let url = Url::parse(issuer).map_err(|_| unfit(name, wrong))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unfit(name, wrong));
    }
    may_be_asked(&url, outbound).map_err(|error| {
        unfit(name, &format!("issuer: {error}. At home or in a test list its origin with --outbound-allow"))
    })
}

fn scopes(name: &str, given: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let usual = || USUAL_SCOPES.map(str::to_owned).to_vec();
    let mut scopes = given.unwrap_or_else(usual);
    // RFC 6749 section 3.3
    let is_scope = |scope: &String| {
        !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if !scopes.iter().all(is_scope) {
        return Err(unfit(name, "scopes: give each scope as a text of its own, such as [\"openid\", \"email\"]"));
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    Ok(scopes)
}

/// The variable that holds the secret, so that it need not stand in a file.
fn secret_variable(name: &str) -> String {
    format!("EMBERWELL_PROVIDER_{}_SECRET", name.to_ascii_uppercase().replace('-', "_"))
}

fn unfit(name: &str, text: &str) -> Failure {
    Failure::Usage(format!("sign-in.providers '{}': {text}", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[[providers]]\nname = \"clinic\"\nissuer = \"https://id.example\"\nclient-id = \"c\"\n";

    fn read(text: &str) -> Result<Vec<ProviderSettings>, String> {
        read_with(text, |_| None)
    }

    fn read_with(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<ProviderSettings>, String> {
        let section: SignInSection = toml::from_str(text).map_err(|error| error.to_string())?;
        let listed = OutboundSettings { allow: vec!["http://127.0.0.1:9000".to_owned()] };
        sign_in(section, &listed, variable).map(|it| it.providers).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn what_is_left_out_is_the_careful_choice() {
        let [provider] = &read(LEAST).unwrap()[..] else { panic!("one provider") };

        assert_eq!((provider.name.as_str(), provider.title.as_str()), ("clinic", "clinic"));
        assert_eq!(provider.scopes, USUAL_SCOPES);
        assert_eq!((&provider.client_secret, provider.new_accounts), (&None, NewAccounts::Refuse));
        assert!(!provider.link_by_email);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_secret_comes_from_the_variable_of_its_provider_first() {
        let text = format!("{LEAST}client-secret = \"of the file\"\n").replace("clinic", "my-clinic");
        let of = |text: &str, variable: &str| {
            let found = read_with(text, |name| (name == variable).then(|| "of the variable".to_owned())).unwrap();
            found[0].client_secret.clone().map(|secret| secret.0)
        };

        assert_eq!(of(&text, "EMBERWELL_PROVIDER_MY_CLINIC_SECRET").as_deref(), Some("of the variable"));
        assert_eq!(of(&text, "EMBERWELL_PROVIDER_OTHER_SECRET").as_deref(), Some("of the file"));
        assert_eq!(format!("{:?}", read(&text).unwrap()[0].client_secret), "Some(ProviderSecret(..))");
    }

    #[test]
    fn openid_is_always_asked_for() {
        let text = format!("{LEAST}scopes = [\"email\"]\n");

        assert_eq!(read(&text).unwrap()[0].scopes, ["openid", "email"]);
    }

    #[test]
    fn what_can_not_work_is_refused_at_the_start() {
        let changed = |from: &str, to: &str| read(&LEAST.replace(from, to));
        let more = |line: &str| read(&format!("{LEAST}{line}\n"));

        for name in ["", "Clinic", "my clinic", "my_clinic", "../x", &"a".repeat(33)] {
            assert!(changed("\"clinic\"", &format!("\"{name}\"")).is_err(), "{name}");
        }
        for issuer in [
            "",
            "id.example",
            "http://id.example",
            "https://id.example?a=b",
            "https://id.example#a",
            "https://10.0.0.1",
        ] {
            assert!(changed("https://id.example", issuer).is_err(), "{issuer}");
        }
        assert!(changed("https://id.example", "http://127.0.0.1:9000/realm").is_ok(), "it is listed");
        for line in [
            "title = \"\"",
            "title = \"a\\nb\"",
            "scopes = [\"openid email\"]",
            "scopes = [\"\"]",
            "new-accounts = \"ask\"",
            "link-by-mail = true",
        ] {
            assert!(more(line).is_err(), "{line}");
        }
        assert!(changed("\"c\"", "\"\"").is_err());
        assert!(read(&format!("{LEAST}{LEAST}")).unwrap_err().contains("two providers"));
        assert_eq!(more("new-accounts = \"make\"").unwrap()[0].new_accounts, NewAccounts::Make);
    }
}
