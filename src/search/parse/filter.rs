//! The grammar of `_filter`: from its text to an expression, of which nothing is looked up yet.
//!
//! Spec: R4 search_filter.html

/// So many parentheses, brackets and negations may stand within each other.
const MAX_DEPTH: usize = 16;
/// So many comparisons may stand in one filter.
const MAX_TERMS: usize = 64;

/// What a filter says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression<'t> {
    Comparison(Comparison<'t>),
    And(Vec<Expression<'t>>),
    Or(Vec<Expression<'t>>),
    Not(Box<Expression<'t>>),
}

/// `path operator value`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison<'t> {
    /// Never empty; the last has no filter.
    pub path: Vec<Step<'t>>,
    pub operator: Operator,
    pub operator_at: usize,
    /// Without the quotes and escapes of JSON.
    pub value: String,
    pub value_at: usize,
}

/// `name` or `name[filter]`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'t> {
    pub name: &'t str,
    /// The byte at which it begins.
    pub at: usize,
    pub filter: Option<Expression<'t>>,
}

/// How a filter compares.
///
/// Spec: R4 search_filter.html#ops
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    Gt,
    Lt,
    Ge,
    Le,
    /// Approximately.
    Ap,
    /// Starts after.
    Sa,
    /// Ends before.
    Eb,
    /// Is present.
    Pr,
    /// Periods overlap.
    Po,
    /// The value subsumes.
    Ss,
    /// The value is subsumed.
    Sb,
    /// In a value set.
    In,
    /// Not in a value set.
    Ni,
    /// Refers to.
    Re,
}

impl Operator {
    const ALL: [(&'static str, Operator); 19] = [
        ("eq", Operator::Eq),
        ("ne", Operator::Ne),
        ("co", Operator::Co),
        ("sw", Operator::Sw),
        ("ew", Operator::Ew),
        ("gt", Operator::Gt),
        ("lt", Operator::Lt),
        ("ge", Operator::Ge),
        ("le", Operator::Le),
        ("ap", Operator::Ap),
        ("sa", Operator::Sa),
        ("eb", Operator::Eb),
        ("pr", Operator::Pr),
        ("po", Operator::Po),
        ("ss", Operator::Ss),
        ("sb", Operator::Sb),
        ("in", Operator::In),
        ("ni", Operator::Ni),
        ("re", Operator::Re),
    ];

    pub(super) fn name(self) -> &'static str {
        Operator::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(name, _)| name)
    }

    fn named(name: &str) -> Option<Operator> {
        Operator::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, operator)| *operator)
    }
}

/// What is wrong with a filter, and the byte where it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub problem: String,
}

/// Understands the text of a filter.
pub(super) fn read(text: &str) -> Result<Expression<'_>, Fault> {
    let mut reader = Reader { text, at: 0, terms: 0 };
    let expression = reader.expression(0)?;
    match reader.rest() {
        "" => Ok(expression),
        _ => Err(reader.fault("after a comparison comes 'and', 'or' or the end")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    terms: usize,
}

impl<'t> Reader<'t> {
    /// `a and b or c`: "evaluated left to right, with no precedence between `and` and `or`".
    fn expression(&mut self, depth: usize) -> Result<Expression<'t>, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault(&format!("more than {MAX_DEPTH} parentheses and brackets stand within each other")));
        }
        let mut left = self.operand(depth)?;
        loop {
            left = if self.takes_word("and") {
                let mut all = match left {
                    Expression::And(all) => all,
                    other => vec![other],
                };
                match self.operand(depth)? {
                    Expression::And(more) => all.extend(more),
                    other => all.push(other),
                }
                Expression::And(all)
            } else if self.takes_word("or") {
                let mut any = match left {
                    Expression::Or(any) => any,
                    other => vec![other],
                };
                match self.operand(depth)? {
                    Expression::Or(more) => any.extend(more),
                    other => any.push(other),
                }
                Expression::Or(any)
            } else {
                return Ok(left);
            };
        }
    }

    /// A comparison, or an expression in parentheses, perhaps negated.
    fn operand(&mut self, depth: usize) -> Result<Expression<'t>, Fault> {
        let before = self.at;
        if self.takes_word("not") {
            if self.takes('(') {
                return Ok(Expression::Not(Box::new(self.closed(')', depth)?)));
            }
            // A parameter may be called so.
            self.at = before;
        }
        if self.takes('(') {
            return self.closed(')', depth);
        }
        self.comparison(depth).map(Expression::Comparison)
    }

    /// An expression up to the sign that closes it.
    fn closed(&mut self, close: char, depth: usize) -> Result<Expression<'t>, Fault> {
        let expression = self.expression(depth + 1)?;
        match self.takes(close) {
            true => Ok(expression),
            false => Err(self.fault(&format!("after a comparison comes 'and', 'or' or '{close}'"))),
        }
    }

    fn comparison(&mut self, depth: usize) -> Result<Comparison<'t>, Fault> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.fault(&format!("a filter has at most {MAX_TERMS} comparisons")));
        }
        let mut path = Vec::new();
        loop {
            let mut step = self.step()?;
            if self.text[self.at..].starts_with('[') {
                self.at += 1;
                step.filter = Some(self.closed(']', depth)?);
                if !self.text[self.at..].starts_with('.') {
                    return Err(self.fault("after 'name[filter]' comes '.' with another name"));
                }
            }
            path.push(step);
            if !self.text[self.at..].starts_with('.') {
                break;
            }
            self.at += 1;
        }
        self.skip_spaces();
        let operator_at = self.at;
        let Some(operator) = Operator::named(self.word()) else {
            let names: Vec<&str> = Operator::ALL.iter().map(|(name, _)| *name).collect();
            self.at = operator_at;
            return Err(self.fault(&format!("after a name comes one of {}", names.join(", "))));
        };
        if !self.text[self.at..].starts_with(char::is_whitespace) {
            return Err(self.fault("after an operator comes a space, and then a value"));
        }
        self.skip_spaces();
        let value_at = self.at;
        let value = self.value()?;
        if value.trim().is_empty() {
            return Err(Fault {
                at: value_at,
                problem: "a value is empty; to find what is absent, use 'pr false'".into(),
            });
        }
        Ok(Comparison { path, operator, operator_at, value, value_at })
    }

    /// A name. The colons of `subject:Patient` and `_has:Observation:patient:code` belong to it.
    fn step(&mut self) -> Result<Step<'t>, Fault> {
        let at = self.at;
        let is_first = |first: char| first == '_' || first.is_ascii_alphabetic();
        if !self.text[at..].starts_with(is_first) {
            return Err(self.fault("here is to be the name of a search parameter, or 'not' with parentheses"));
        }
        let is_name = |next: char| next.is_ascii_alphanumeric() || matches!(next, '_' | '-' | ':');
        let rest = &self.text[at..];
        let name = &rest[..rest.find(|next| !is_name(next)).unwrap_or(rest.len())];
        self.at += name.len();
        Ok(Step { name, at, filter: None })
    }

    fn value(&mut self) -> Result<String, Fault> {
        let rest = &self.text[self.at..];
        if !rest.starts_with('"') {
            let is_end = |next: char| next.is_whitespace() || matches!(next, ')' | ']');
            let token = &rest[..rest.find(is_end).unwrap_or(rest.len())];
            if token.contains('"') {
                return Err(self.fault("quotes stand around a whole value"));
            }
            self.at += token.len();
            return Ok(token.to_owned());
        }
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, next)| {
            let ends = *next == '"' && !is_escaped;
            is_escaped = *next == '\\' && !is_escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(self.fault("the quotes that begin here do not end")) };
        let text = serde_json::from_str(&rest[..=end])
            .map_err(|_| self.fault("between quotes, a backslash and control characters are written as in JSON"))?;
        self.at += end + 1;
        Ok(text)
    }

    /// Letters up to anything else.
    fn word(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let word = &rest[..rest.find(|next: char| !next.is_ascii_alphabetic()).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Goes past `word` if it comes next and ends there.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let before = self.at;
        let is_word = self.word().eq_ignore_ascii_case(word)
            && !self.text[self.at..]
                .starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-' | ':' | '.'));
        if !is_word {
            self.at = before;
        }
        is_word
    }

    fn takes(&mut self, sign: char) -> bool {
        self.skip_spaces();
        let is_next = self.text[self.at..].starts_with(sign);
        self.at += if is_next { sign.len_utf8() } else { 0 };
        is_next
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&mut self) -> &'t str {
        self.skip_spaces();
        &self.text[self.at..]
    }

    fn fault(&self, problem: &str) -> Fault {
        Fault { at: self.at, problem: problem.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expression with all parentheses.
    fn told(expression: &Expression<'_>) -> String {
        let each = |list: &[Expression<'_>], word: &str| {
            let list: Vec<String> = list.iter().map(told).collect();
            format!("({})", list.join(word))
        };
        match expression {
            Expression::And(all) => each(all, " & "),
            Expression::Or(any) => each(any, " | "),
            Expression::Not(negated) => format!("!{}", told(negated)),
            Expression::Comparison(Comparison { path, operator, value, .. }) => {
                let step = |step: &Step<'_>| match &step.filter {
                    Some(filter) => format!("{}[{}]", step.name, told(filter)),
                    None => step.name.to_owned(),
                };
                let path: Vec<String> = path.iter().map(step).collect();
                format!("{} {} {value}", path.join("."), operator.name())
            }
        }
    }

    #[test]
    fn expressions_are_read_from_left_to_right() {
        let cases = [
            (r#"name co "pet""#, "name co pet"),
            (r#"given eq "peter" and birthdate ge 2014-10-10"#, "(given eq peter & birthdate ge 2014-10-10)"),
            ("a eq 1 or b eq 2 and c eq 3", "((a eq 1 | b eq 2) & c eq 3)"),
            ("a eq 1 and b eq 2 or c eq 3", "((a eq 1 & b eq 2) | c eq 3)"),
            ("a eq 1 or (b eq 2 and c eq 3)", "(a eq 1 | (b eq 2 & c eq 3))"),
            ("a eq 1 and (b eq 2 and c eq 3) and d eq 4", "(a eq 1 & b eq 2 & c eq 3 & d eq 4)"),
            ("not(a eq 1)", "!a eq 1"),
            ("NOT ( a EQ 1 ) AND not (not (b eq 2))", "(!a eq 1 & !!b eq 2)"),
            ("not eq 1", "not eq 1"),
            ("((a eq 1))", "a eq 1"),
            ("  a   eq   1  ", "a eq 1"),
            ("code eq http://loinc.org|1234-5", "code eq http://loinc.org|1234-5"),
            ("subject.name co x", "subject.name co x"),
            (
                "subject[gender eq male and active eq true].name co x",
                "subject[(gender eq male & active eq true)].name co x",
            ),
            ("a[b[c eq 1].d eq 2].e eq 3", "a[b[c eq 1].d eq 2].e eq 3"),
            ("subject:Patient.name co x", "subject:Patient.name co x"),
            ("_has:Observation:patient:code eq x", "_has:Observation:patient:code eq x"),
            (r#"a eq "x) and ] \"y\" \\ \u00e9""#, "a eq x) and ] \"y\" \\ é"),
            ("(a eq and)or(b eq or)", "(a eq and | b eq or)"),
        ];

        for (text, expected) in cases {
            assert_eq!(read(text).map(|expression| told(&expression)), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told_with_its_place() {
        let cases = [
            ("", 0, "the name of a search parameter"),
            ("name", 4, "after a name comes one of eq, ne, "),
            ("name is x", 5, "after a name comes one of"),
            ("name eq", 7, "after an operator comes a space"),
            ("name eq ", 8, "a value is empty"),
            (r#"name eq """#, 8, "a value is empty"),
            (r#"name eq "x"#, 8, "do not end"),
            (r#"name eq "\q""#, 8, "as in JSON"),
            (r#"name eq x"y""#, 8, "around a whole value"),
            ("name eq x y eq z", 10, "comes 'and', 'or' or the end"),
            ("name eq x and", 13, "the name of a search parameter"),
            ("name eq x)", 9, "comes 'and', 'or' or the end"),
            ("(name eq x", 10, "comes 'and', 'or' or ')'"),
            ("(name eq x]", 10, "comes 'and', 'or' or ')'"),
            ("a[b eq c] eq d", 9, "after 'name[filter]' comes '.'"),
            ("a[b eq c", 8, "comes 'and', 'or' or ']'"),
            ("a.[b eq c].d eq e", 2, "the name of a search parameter"),
            ("a. eq b", 2, "the name of a search parameter"),
            ("1a eq b", 0, "the name of a search parameter"),
            ("ä eq b", 0, "the name of a search parameter"),
            ("not a eq b", 4, "after a name comes one of"),
        ];

        for (text, at, problem) in cases {
            let fault = read(text).unwrap_err();
            assert!(fault.problem.contains(problem), "{text}: {fault:?}");
            assert_eq!(fault.at, at, "{text}");
        }
    }

    #[test]
    fn depth_and_length_have_bounds() {
        let nested = |depth: usize| format!("{}a eq 1{}", "(".repeat(depth), ")".repeat(depth));
        let bracketed = |depth: usize| format!("{}a eq 1{}", "a[".repeat(depth), "].a eq 1".repeat(depth));
        let long = |terms: usize| vec!["a eq 1"; terms].join(" or ");

        assert!(read(&nested(16)).is_ok() && read(&bracketed(16)).is_ok() && read(&long(64)).is_ok());
        assert!(read(&nested(17)).unwrap_err().problem.contains("more than 16 parentheses"));
        assert!(read(&bracketed(17)).unwrap_err().problem.contains("more than 16 parentheses"));
        assert!(read(&long(65)).unwrap_err().problem.contains("at most 64 comparisons"));
        assert!(read(&nested(100_000)).is_err());
    }
}
