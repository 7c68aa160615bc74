//! Where the endpoints are, as clients see them.

/// The addresses that the documents of discovery name.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The FHIR base; no slash at the end.
    pub base: String,
    /// Who issues tokens: the root of the server, without a slash at the end.
    pub issuer: String,
}

impl Endpoints {
    /// Those of the server with this FHIR base, which is `/fhir` below its root.
    pub fn of(base: &str) -> Endpoints {
        let issuer = base.strip_suffix("/fhir").unwrap_or(base);
        Endpoints { base: base.to_owned(), issuer: issuer.to_owned() }
    }

    pub fn token(&self) -> String {
        format!("{}/auth/token", self.issuer)
    }

    pub fn authorization(&self) -> String {
        format!("{}/auth/authorize", self.issuer)
    }

    /// The keys by which id_tokens are signed.
    pub fn keys(&self) -> String {
        format!("{}/auth/jwks", self.issuer)
    }

    /// Where a handle for a launch is had.
    pub fn launch(&self) -> String {
        format!("{}/auth/launch", self.issuer)
    }

    /// Where people see which apps they let in, and take that back.
    pub fn management(&self) -> String {
        format!("{}/apps", self.issuer)
    }

    /// How apps may look, to fit in.
    pub fn style(&self) -> String {
        format!("{}/auth/smart-style-1.json", self.issuer)
    }

    pub fn introspection(&self) -> String {
        format!("{}/auth/introspect", self.issuer)
    }

    /// Where a device begins to wait for somebody to let it in (RFC 8628).
    pub fn device_authorization(&self) -> String {
        format!("{}/auth/device", self.issuer)
    }

    /// Where somebody types what a device shows.
    pub fn device_page(&self) -> String {
        format!("{}/device", self.issuer)
    }

    /// Whose server this is.
    pub fn brands(&self) -> String {
        format!("{}/brands", self.issuer)
    }

    /// Where apps register themselves (RFC 7591).
    pub fn registration(&self) -> String {
        format!("{}/auth/register", self.issuer)
    }

    pub fn revocation(&self) -> String {
        format!("{}/auth/revoke", self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_the_root_of_the_server() {
        let table = [
            ("https://a.org/fhir", "https://a.org"),
            ("https://a.org/r4/fhir", "https://a.org/r4"),
            ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080"),
            ("https://fhir.a.org", "https://fhir.a.org"),
        ];
        for (base, issuer) in table {
            assert_eq!(Endpoints::of(base).issuer, issuer);
        }
        assert_eq!(Endpoints::of("https://a.org/fhir").token(), "https://a.org/auth/token");
    }
}
