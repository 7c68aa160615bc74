//! The narrative: XHTML that no browser can be tricked with.
//!
//! Besides the lists of R4 this refuses what XML and HTML parsers read differently (CDATA, odd comments), because the
//! narrative is shown by programs of both kinds.
//!
//! Spec: R4 narrative.html#xhtml (txt-1, txt-2)

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};

use super::findings::Findings;
use super::path::{Path, is_plain_name};
use crate::fhir::IssueCode;

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// How deep the elements may nest.
const MAX_DEPTH: usize = 100;

/// No element has use for more attributes, and finding repeats costs the square of their number.
const MAX_ATTRIBUTES: usize = 40;

/// Further problems of the same narrative are not listed.
const MAX_PROBLEMS: usize = 10;

/// Sorted. The elements of HTML 4.0 chapters 7-11 (without 9.4) and 15 that are not deprecated, `a` and `img`.
const ELEMENTS: [&str; 51] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// Sorted. The attributes that txt-1 lists, and those of XML itself.
const ATTRIBUTES: [&str; 56] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:base",
    "xml:id",
    "xml:lang",
    "xml:space",
    "xmlns",
    "xmlns:xhtml",
    "xmlns:xsi",
];

/// Checks the text of a `div`.
pub(super) fn check(text: &str, path: &Path, findings: &mut Findings) {
    let mut check = Check { problems: Vec::new(), depth: 0, roots: 0, has_content: false };
    if let Err(problem) = check.document(text) {
        findings.add(IssueCode::Value, path, problem);
        return;
    }
    for problem in check.problems {
        findings.add(IssueCode::Invariant, path, problem);
    }
    if !check.has_content {
        findings.add(IssueCode::Invariant, path, "the narrative must have some text or an image (txt-2)");
    }
}

struct Check {
    /// What is well-formed, but not allowed.
    problems: Vec<String>,
    depth: usize,
    roots: usize,
    has_content: bool,
}

impl Check {
    /// Reads the whole text; an error means that it isn't well-formed or not one `div`.
    fn document(&mut self, text: &str) -> Result<(), &'static str> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event().map_err(|_| "the narrative must be well-formed XML")? {
                Event::Start(tag) => {
                    self.open(&tag)?;
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err("the elements of a narrative may nest 100 deep at most");
                    }
                }
                Event::Empty(tag) => self.open(&tag)?,
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                Event::Text(text) => self.text(&text)?,
                Event::GeneralRef(entity) => self.entity(&entity)?,
                Event::Comment(comment) => {
                    // HTML ends such a comment at once and reads on in its content.
                    if comment.starts_with('>') || comment.starts_with("->") {
                        return Err("a comment in a narrative must not start with >");
                    }
                }
                Event::CData(_) => return Err("a narrative must not have CDATA sections; write &lt; and &amp;"),
                Event::DocType(_) => return Err("a narrative must not have a DOCTYPE"),
                Event::Decl(_) | Event::PI(_) => {
                    return Err("a narrative must not have processing instructions");
                }
                Event::Eof => break,
            }
        }
        if self.depth > 0 {
            return Err("the narrative must be well-formed XML");
        }
        if self.roots != 1 {
            return Err("the narrative must be one <div> element");
        }
        Ok(())
    }

    fn open(&mut self, tag: &BytesStart) -> Result<(), &'static str> {
        let name = tag.name();
        let name: &str = name.as_ref();
        if self.depth == 0 {
            self.roots += 1;
            if name != "div" {
                return Err("the narrative must be one <div> element");
            }
        } else if ELEMENTS.binary_search(&name).is_err() {
            self.problem(match is_plain_name(name) {
                true => format!("the element {name} is not allowed in a narrative (txt-1)"),
                false => "an element with such a name is not allowed in a narrative (txt-1)".to_owned(),
            });
        }
        let has_namespace = self.attributes(tag, name)?;
        if self.depth == 0 && !has_namespace {
            return Err("the <div> must be in the namespace http://www.w3.org/1999/xhtml");
        }
        Ok(())
    }

    /// Checks the attributes of one element; true when it declares the XHTML namespace.
    fn attributes(&mut self, tag: &BytesStart, element: &str) -> Result<bool, &'static str> {
        let mut has_namespace = false;
        let mut seen: Vec<&str> = Vec::new();
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| "the attributes in a narrative must be well-formed XML")?;
            let name = attribute.key.0;
            if seen.contains(&name) || seen.len() == MAX_ATTRIBUTES {
                return Err("an element of a narrative must not repeat an attribute, nor have more than 40");
            }
            if attribute.value.contains('<') {
                return Err("an attribute in a narrative must not have < in it; write &lt;");
            }
            let value = escape::unescape(&attribute.value)
                .map_err(|_| "a narrative knows only the entities of XML and numeric ones such as &#160;")?;
            if name == "xmlns" {
                if &*value != NAMESPACE {
                    return Err("all elements of a narrative must be in the namespace http://www.w3.org/1999/xhtml");
                }
                has_namespace = true;
            } else if ATTRIBUTES.binary_search(&name).is_err() {
                self.problem(match is_plain_name(name) {
                    true => format!("the attribute {name} is not allowed in a narrative (txt-1)"),
                    false => "an attribute with such a name is not allowed in a narrative (txt-1)".to_owned(),
                });
            } else if matches!(name, "href" | "src" | "cite" | "longdesc") && is_active(&value, name == "src") {
                self.problem(format!("{name} must be a plain link: no script and no embedded document (txt-1)"));
            } else if name == "style" && is_active_style(&value) {
                self.problem("a style must not load or run anything from elsewhere (txt-1)".to_owned());
            }
            self.has_content |= name == "src" && element == "img";
            seen.push(name);
        }
        Ok(has_namespace)
    }

    fn text(&mut self, text: &str) -> Result<(), &'static str> {
        if text.contains("]]>") || text.chars().any(|letter| !is_xml_char(letter)) {
            return Err("the narrative must be well-formed XML");
        }
        if !text.trim_start().is_empty() {
            if self.depth == 0 {
                return Err("the narrative must be one <div> element, with nothing around it");
            }
            self.has_content = true;
        }
        Ok(())
    }

    fn entity(&mut self, entity: &quick_xml::events::BytesRef) -> Result<(), &'static str> {
        let wrong = "a narrative knows only the entities of XML (lt gt amp apos quot) and numeric ones such as &#160;";
        if self.depth == 0 {
            return Err("the narrative must be one <div> element, with nothing around it");
        }
        if entity.is_char_ref() {
            let letter = entity.resolve_char_ref().map_err(|_| wrong)?.ok_or(wrong)?;
            if !is_xml_char(letter) {
                return Err(wrong);
            }
            self.has_content |= !letter.is_whitespace();
            return Ok(());
        }
        self.has_content = true;
        if matches!(&**entity, "lt" | "gt" | "amp" | "apos" | "quot") { Ok(()) } else { Err(wrong) }
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }
}

/// A character that XML 1.0 allows.
fn is_xml_char(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// True when following or loading `url` could run something.
fn is_active(url: &str, is_image: bool) -> bool {
    // Browsers skip white space and control characters in a scheme.
    let start: String =
        url.chars().filter(|letter| *letter > ' ').take(16).map(|letter| letter.to_ascii_lowercase()).collect();
    let is_script = ["javascript:", "vbscript:", "livescript:"].iter().any(|scheme| start.starts_with(scheme));
    is_script || (start.starts_with("data:") && !(is_image && start.starts_with("data:image/")))
}

/// True when a style could run something or fetch from another server.
fn is_active_style(style: &str) -> bool {
    let plain: String = style.chars().filter(|letter| *letter > ' ').collect::<String>().to_ascii_lowercase();
    let traps =
        ["expression(", "javascript:", "vbscript:", "@import", "behavior:", "-moz-binding", "\\", "/*", "image("];
    let fetches = plain.match_indices("url(").any(|(at, _)| {
        let target = plain[at + 4..].trim_start_matches(['"', '\'']);
        // A scheme is short; looking further would cost the square of a hostile style's length.
        let scheme_ends = target.bytes().take(32).find(|byte| b":/#?)".contains(byte));
        (scheme_ends == Some(b':') || target.starts_with("//")) && !target.starts_with("data:image/")
    });
    fetches || traps.iter().any(|trap| plain.contains(trap))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(inner: &str) -> Vec<String> {
        whole(&format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>"))
    }

    fn whole(text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(text, &Path::Root("div"), &mut findings);
        findings.into_issues().into_iter().map(|issue| issue.text).collect()
    }

    #[test]
    fn lists_are_sorted_so_that_they_can_be_searched() {
        assert!(ELEMENTS.is_sorted());
        assert!(ATTRIBUTES.is_sorted());
    }

    #[test]
    fn plain_narratives_are_fine() {
        let good = [
            "text",
            "<p class=\"a\" style=\"color: red\">a &amp; b &#160;&#xE4; &lt;</p>",
            "<img src=\"a.png\" alt=\"\"/>",
            "<img src=\"data:image/png;base64,QQ==\"/>",
            "<table border=\"1\"><tr><td colspan=\"2\" xml:lang=\"de\">a</td></tr></table>",
            "<a name=\"x\">a</a><a href=\"#x\">b</a><a href=\"https://a.example/?a=1&amp;b=2\">c</a>",
            "<!-- a comment --><td style=\"background: url(dots.png)\">a</td>",
        ];
        for inner in good {
            assert_eq!(texts(inner), Vec::<String>::new(), "{inner}");
        }
    }

    #[test]
    fn active_content_is_refused() {
        let bad = [
            "a<script>alert(1)</script>",
            "<p onclick=\"alert(1)\">a</p>",
            "<a href=\"java&#x9;script:alert(1)\">a</a>",
            "<a href=\" JavaScript:alert(1)\">a</a>",
            "<a href=\"data:text/html,a\">a</a>",
            "<img src=\"data:text/html,a\"/>",
            "<iframe src=\"https://a.example\"/>a",
            "<form>a</form>",
            "<object>a</object>",
            "<p style=\"background: url(https://a.example/b.png)\">a</p>",
            "<p style=\"background: url('//a.example/b.png')\">a</p>",
            "<p style=\"width: expression(alert(1))\">a</p>",
            "<svg:p>a</svg:p>",
            "<![CDATA[><script>alert(1)</script>]]>",
            "a<!--> <script>alert(1)</script> -->",
        ];
        for inner in bad {
            assert_eq!(texts(inner).len(), 1, "{inner}: {:?}", texts(inner));
        }
    }

    #[test]
    fn broken_xml_is_refused() {
        let bad = [
            "<p>a",
            "<p>a</b>",
            "a & b",
            "a &nbsp; b",
            "a &foo; b",
            "a &#0; b",
            "<p class=a>a</p>",
            "<p class=\"a\" class=\"b\">a</p>",
            "<?php a ?>",
            "a ]]> b",
            "<p class=\"&nbsp;\">a</p>",
            "<p class=\"<\">a</p>",
        ];
        for inner in bad {
            assert_eq!(texts(inner).len(), 1, "{inner}: {:?}", texts(inner));
        }
        let space = "xmlns=\"http://www.w3.org/1999/xhtml\"";
        let roots = [
            "a".to_owned(),
            "<div>a</div>".to_owned(),
            format!("<p {space}>a</p>"),
            format!("<div {space}>a</div><div {space}>b</div>"),
            format!("a<div {space}>a</div>"),
            format!("<!DOCTYPE div [<!ENTITY a \"b\">]><div {space}>&a;</div>"),
            "<div xmlns=\"http://www.w3.org/2000/svg\">a</div>".to_owned(),
        ];
        for text in roots {
            assert_eq!(whole(&text).len(), 1, "{text}: {:?}", whole(&text));
        }
    }

    #[test]
    fn narrative_without_content_is_refused() {
        assert_eq!(texts(" <p> </p> &#32;"), ["the narrative must have some text or an image (txt-2)"]);
    }

    #[test]
    fn deep_nesting_ends_in_a_finding() {
        let deep = format!("{}a{}", "<b>".repeat(5000), "</b>".repeat(5000));

        assert_eq!(texts(&deep), ["the elements of a narrative may nest 100 deep at most"]);
    }
}
