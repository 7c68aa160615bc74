//! An app to launch: it asks for leave to see vital signs, and draws them. Plain pages and scripts, the same as anybody would write.
//!
//! Spec: SMART App Launch 2.2 app-launch.html

use crate::clock;
use crate::config::OutboundSettings;
use crate::records::{NewRegistration, RecordError, Registrar, Registration, register as register_client, verify};
use crate::store::{ClientKind, Tx};

/// The client id of the sample app, which its script knows.
pub const SAMPLE_APP: &str = "sample-app";

const VITAL_SIGNS: &str =
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
const SCOPES: &[(&str, Option<&str>)] = &[
    ("launch", None),
    ("launch/patient", None),
    ("openid", None),
    ("fhirUser", None),
    ("offline_access", Some("to look again tomorrow without asking you")),
    ("patient/Patient.r", Some("to write whose measurements these are")),
    (VITAL_SIGNS, Some("to draw the curves: that is all that this app does")),
];

/// What the app can do without. It draws vital signs, and nothing else makes sense.
const OPTIONAL: &str = "launch launch/patient openid fhirUser offline_access patient/Patient.r";

/// A file of the app, as it is served.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

/// The file with this name, which is empty for the first page.
pub fn page(name: &str) -> Option<Page> {
    const HTML: &str = "text/html; charset=utf-8";
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    let (content_type, bytes): (&'static str, &'static [u8]) = match name {
        "" | "index.html" => (HTML, include_bytes!("sample_app/index.html")),
        "launch.html" => (HTML, include_bytes!("sample_app/launch.html")),
        "smart.js" => (SCRIPT, include_bytes!("sample_app/smart.js")),
        "chart.js" => (SCRIPT, include_bytes!("sample_app/chart.js")),
        "app.js" => (SCRIPT, include_bytes!("sample_app/app.js")),
        "launch.js" => (SCRIPT, include_bytes!("sample_app/launch.js")),
        "app.css" => ("text/css; charset=utf-8", include_bytes!("sample_app/app.css")),
        "icon.svg" => ("image/svg+xml", include_bytes!("sample_app/icon.svg")),
        _ => return None,
    };
    Some(Page { content_type, bytes })
}

/// The registration of the app on the server that people reach at `root`.
pub(super) fn registration(root: &str) -> Result<NewRegistration, super::DemoError> {
    let unfit = |unfit: crate::records::NotUsable| super::DemoError::Damaged(unfit.to_string());
    let reasons = SCOPES.iter().filter_map(|(scope, reason)| reason.map(|reason| format!("{scope}={reason}")));
    let scopes = SCOPES.iter().map(|(scope, _)| *scope).collect::<Vec<_>>().join(" ");
    let name = "Vital signs, a sample app".parse().map_err(unfit)?;
    let registration = Registration {
        publisher: Some("Emberwell".parse().map_err(unfit)?),
        redirect_uris: redirect_uris(root),
        launch_uri: Some(format!("{root}/sample-app/launch.html")),
        optional_scopes: OPTIONAL.to_owned(),
        reasons: reasons.collect(),
        ..Registration::of(name, ClientKind::Public, &scopes)
    };
    let prepared = registration.prepare(Registrar::Operator, &OutboundSettings::default())?;
    Ok(prepared.with_id(SAMPLE_APP))
}

/// Where people come back to it, by each name that loopback has.
fn redirect_uris(root: &str) -> Vec<String> {
    let mut roots = vec![root.to_owned()];
    if let Some(rest) = root.strip_prefix("http://127.0.0.1") {
        roots.push(format!("http://localhost{rest}"));
    }
    roots.iter().map(|root| format!("{root}/sample-app/")).collect()
}

/// Registers the app, and vouches for who makes it: it came with the server.
pub(super) fn register(tx: &mut Tx<'_>, app: &NewRegistration) -> Result<(), RecordError> {
    register_client(tx, app, Registrar::Operator)?;
    verify(tx, SAMPLE_APP, true, Registrar::Operator, clock::now_us())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_that_a_page_names_is_served() {
        for page_name in ["", "launch.html"] {
            let text = std::str::from_utf8(page(page_name).unwrap().bytes).unwrap();
            let named: Vec<&str> = text.split('"').filter_map(|word| word.strip_prefix("/sample-app/")).collect();
            assert!(named.len() >= 2, "{page_name}: {named:?}");
            for name in named {
                assert!(page(name).is_some(), "{page_name} names {name}");
            }
        }
        assert!(page("../family.json").is_none());
    }

    #[test]
    fn the_script_knows_the_id_and_the_scopes_of_the_app() {
        let script = std::str::from_utf8(page("app.js").unwrap().bytes).unwrap();
        let launch = std::str::from_utf8(page("launch.js").unwrap().bytes).unwrap();

        let all = format!("{script}{launch}{}", std::str::from_utf8(page("smart.js").unwrap().bytes).unwrap());
        assert!(all.contains(&format!("\"{SAMPLE_APP}\"")));
        for (scope, _) in SCOPES {
            assert!(all.contains(scope), "{scope}");
        }
    }
}
