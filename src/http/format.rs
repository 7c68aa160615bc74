//! In which form the client wants its answer.
//!
//! Spec: R4 http.html#mime-type, #general, RFC 9110 12.5.1

use mime::Mime;

use crate::http::{HttpError, media};

/// The media type of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerMedia {
    #[default]
    FhirJson,
    /// The same bytes, called `application/json` for a client that asked for just that.
    Json,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    pub media: AnswerMedia,
    /// Indented for people.
    pub is_pretty: bool,
}

impl Format {
    /// What `Accept` asks for; `None` when the header is absent.
    pub fn from_accept(accept: Option<&str>) -> Result<Format, HttpError> {
        let media = match accept {
            // What nearly all requests say.
            None | Some("*/*" | "application/fhir+json") => AnswerMedia::FhirJson,
            Some(accept) => negotiate(accept)?,
        };
        Ok(Format { media, is_pretty: false })
    }

    /// The same, as `_format` and `_pretty` have it; those outweigh `Accept`.
    pub fn with_parameters(mut self, query: &[(String, String)]) -> Result<Format, HttpError> {
        for (name, value) in query {
            match name.as_str() {
                "_format" => self.media = named(value)?,
                "_pretty" => {
                    self.is_pretty = match value.as_str() {
                        "true" => true,
                        "false" => false,
                        _ => {
                            return Err(HttpError::Parameter {
                                name: "_pretty",
                                problem: "give true or false".to_owned(),
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(self)
    }
}

/// The best that the ranges of an `Accept` header admit. Of equals the first counts.
fn negotiate(accept: &str) -> Result<AnswerMedia, HttpError> {
    let mut best: Option<(f32, AnswerMedia)> = None;
    let mut refused = Vec::new();
    let mut wants_xml = false;
    for range in accept.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        // Some old clients send a bare `*`.
        let range = if range == "*" { "*/*" } else { range };
        let Ok(range) = range.parse::<Mime>() else {
            return Err(HttpError::Header { name: "Accept", problem: "give media types separated by commas" });
        };
        wants_xml |= media::is_xml(&range);
        let quality: f32 = range.get_param("q").and_then(|q| q.as_str().parse().ok()).unwrap_or(1.0);
        let Some(media) = answer_media(&range) else { continue };
        if quality <= 0.0 {
            refused.push(media);
        } else if best.is_none_or(|(best, _)| quality > best) && !refused.contains(&media) {
            best = Some((quality, media));
        }
    }
    match best {
        Some((_, media)) => Ok(media),
        None if wants_xml => Err(HttpError::NotAcceptable("XML isn't there yet")),
        None => Err(HttpError::NotAcceptable("nothing that Accept admits can be written")),
    }
}

/// What a range of `Accept` means to this server; `None` when nothing that it can write.
fn answer_media(range: &Mime) -> Option<AnswerMedia> {
    if !media::is_r4(range) {
        return None;
    }
    match range.essence_str() {
        "application/fhir+json" | "application/*" | "*/*" => Some(AnswerMedia::FhirJson),
        "application/json" | "text/json" => Some(AnswerMedia::Json),
        _ => None,
    }
}

/// What `_format` names: a media type or one of the short names.
fn named(format: &str) -> Result<AnswerMedia, HttpError> {
    if format == "json" {
        return Ok(AnswerMedia::FhirJson);
    }
    // A `+` that was not encoded arrives as a space.
    let media = format.replacen("fhir ", "fhir+", 1).parse::<Mime>();
    match media {
        Ok(media) => match answer_media(&media) {
            Some(answer) => Ok(answer),
            None if media::is_xml(&media) => Err(HttpError::NotAcceptable("XML isn't there yet")),
            None => Err(HttpError::NotAcceptable("what _format names can't be written")),
        },
        Err(_) if format == "xml" => Err(HttpError::NotAcceptable("XML isn't there yet")),
        Err(_) => Err(HttpError::NotAcceptable("what _format names can't be written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Option<AnswerMedia> {
        Format::from_accept(Some(accept)).ok().map(|format| format.media)
    }

    fn formatted(format: &str) -> Option<AnswerMedia> {
        let query = [("_format".to_owned(), format.to_owned())];
        Format::default().with_parameters(&query).ok().map(|format| format.media)
    }

    #[test]
    fn accept_chooses_the_media_type_of_the_answer() {
        let (fhir, plain) = (Some(AnswerMedia::FhirJson), Some(AnswerMedia::Json));
        let cases = [
            ("application/fhir+json", fhir),
            ("application/fhir+json; fhirVersion=4.0", fhir),
            ("application/fhir+json;charset=utf-8", fhir),
            ("application/fhir+json; fhirVersion=5.0", None),
            ("application/fhir+json; fhirVersion=5.0, application/json", plain),
            ("application/json", plain),
            ("text/json", plain),
            ("application/json, text/plain, */*", plain),
            ("application/json;q=0.5, application/fhir+json", fhir),
            ("application/fhir+json;q=0.5, application/json;q=0.9", plain),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", fhir),
            ("*", fhir),
            ("application/*", fhir),
            ("application/fhir+xml", None),
            ("application/fhir+json;q=0, */*", None),
            ("text/html", None),
            ("image/png;q=1.0", None),
            ("nonsense", None),
            ("", None),
        ];
        for (accept, wanted) in cases {
            assert_eq!(accepted(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn no_accept_header_means_fhir_json() {
        assert_eq!(Format::from_accept(None).unwrap(), Format::default());
    }

    #[test]
    fn format_takes_short_names_and_media_types() {
        let (fhir, plain) = (Some(AnswerMedia::FhirJson), Some(AnswerMedia::Json));
        let cases = [
            ("json", fhir),
            ("application/fhir+json", fhir),
            ("application/fhir json", fhir),
            ("application/json", plain),
            ("text/json", plain),
            ("xml", None),
            ("application/fhir+xml", None),
            ("text/xml", None),
            ("ttl", None),
            ("html", None),
            ("", None),
        ];
        for (format, wanted) in cases {
            assert_eq!(formatted(format), wanted, "{format}");
        }
    }

    #[test]
    fn format_outweighs_accept() {
        let query = [("_format".to_owned(), "json".to_owned()), ("_pretty".to_owned(), "true".to_owned())];

        let format = Format::from_accept(Some("application/json")).unwrap().with_parameters(&query).unwrap();

        assert_eq!(format, Format { media: AnswerMedia::FhirJson, is_pretty: true });
    }
}
