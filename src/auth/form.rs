//! The parameters of a request to an endpoint.

use crate::auth::AuthError;

/// Decoded pairs, of which no name comes twice.
#[derive(Clone, Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Takes the pairs of a body.
    ///
    /// RFC 6749 section 3.2: "Parameters sent without a value MUST be treated as if they were omitted", and none may be
    /// included more than once.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Form, AuthError> {
        let mut form = Form(Vec::with_capacity(pairs.len()));
        for (name, value) in pairs {
            if form.get(&name).is_some() {
                return Err(AuthError::InvalidRequest("a parameter is there twice: send each once".to_owned()));
            }
            if !value.is_empty() {
                form.0.push((name, value));
            }
        }
        Ok(form)
    }

    /// The same with a parameter more.
    pub fn with(mut self, name: &str, value: String) -> Form {
        self.0.push((name.to_owned(), value));
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter without which nothing can be done.
    pub fn need(&self, name: &'static str) -> Result<&str, AuthError> {
        self.get(name).ok_or_else(|| AuthError::InvalidRequest(format!("the parameter {name} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Result<Form, AuthError> {
        Form::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn no_parameter_comes_twice_and_an_empty_one_is_none() {
        assert!(form(&[("a", "1"), ("a", "1")]).is_err());

        let form = form(&[("a", ""), ("b", "2")]).unwrap();

        assert_eq!((form.get("a"), form.get("b")), (None, Some("2")));
        assert!(form.need("a").unwrap_err().to_string().contains("parameter a"));
    }
}
