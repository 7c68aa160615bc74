//! The resources that have certain words, in each database's own language.
//!
//! Words reach the databases folded and in quotes: they are letters and digits alone, and bound besides.
//!
//! Spec: R4 search.html#text, #content

use crate::search::Subject;
use crate::search::words::{Phrase, Tree};
use crate::store::{Dialect, Query};

/// Writes ` FROM index_words i WHERE ..`: the rows that have the words.
pub(super) fn among(query: &mut Query, subject: Subject, tree: &Tree, dialect: Dialect) {
    let is_narrative = matches!(subject, Subject::Text);
    query.sql(" FROM index_words i WHERE ");
    match dialect {
        Dialect::Sqlite => {
            let mut text = String::from(if is_narrative { "narrative : " } else { "" });
            fts5(tree, &mut text);
            query.sql("i.index_words MATCH ").text(text);
        }
        Dialect::Postgres => {
            let mut text = String::new();
            tsquery(tree, &mut text);
            // The very expressions of the indexes.
            query.sql(match is_narrative {
                true => "array_to_tsvector(string_to_array(i.narrative, ' '))",
                false => "array_to_tsvector(string_to_array(btrim(i.narrative || ' ' || i.rest), ' '))",
            });
            query.sql(" @@ CAST(").text(text).sql(" AS tsquery)");
            if has_phrases(tree) {
                query.sql(" AND ");
                exact(query, is_narrative, tree);
            }
        }
    }
}

/// The column of the index that holds the number of the resource.
pub(super) fn number(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "i.rowid",
        Dialect::Postgres => "i.rid",
    }
}

/// In the language of FTS5.
fn fts5(tree: &Tree, text: &mut String) {
    match tree {
        Tree::Phrase(Phrase { words, is_prefix }) => {
            text.push('"');
            text.push_str(words);
            text.push_str(if *is_prefix { "\" *" } else { "\"" });
        }
        Tree::All(trees) => list(trees, " AND ", fts5, text),
        Tree::Any(trees) => list(trees, " OR ", fts5, text),
        Tree::Without(with, without) => {
            text.push('(');
            fts5(with, text);
            text.push_str(" NOT ");
            fts5(without, text);
            text.push(')');
        }
    }
}

/// In the language of `tsquery`: what the index can tell. Of a phrase that is its words, which may stand anywhere; so what
/// must not have a phrase is not said at all.
fn tsquery(tree: &Tree, text: &mut String) {
    match tree {
        Tree::Phrase(Phrase { words, is_prefix }) => {
            text.push_str("('");
            text.push_str(&words.replace(' ', "' & '"));
            text.push_str(if *is_prefix { "':*)" } else { "')" });
        }
        Tree::All(trees) => list(trees, " & ", tsquery, text),
        Tree::Any(trees) => list(trees, " | ", tsquery, text),
        Tree::Without(with, without) if has_phrases(without) => tsquery(with, text),
        Tree::Without(with, without) => {
            text.push('(');
            tsquery(with, text);
            text.push_str(" & !");
            tsquery(without, text);
            text.push(')');
        }
    }
}

fn list(trees: &[Tree], sign: &str, write: fn(&Tree, &mut String), text: &mut String) {
    for (place, tree) in trees.iter().enumerate() {
        text.push_str(if place == 0 { "(" } else { sign });
        write(tree, text);
    }
    text.push(')');
}

fn has_phrases(tree: &Tree) -> bool {
    match tree {
        Tree::Phrase(phrase) => phrase.words.contains(' '),
        Tree::All(trees) | Tree::Any(trees) => trees.iter().any(has_phrases),
        Tree::Without(with, without) => has_phrases(with) || has_phrases(without),
    }
}

/// The whole of it, looked up in the words as they follow each other; a phrase does not go on from the narrative to the rest.
fn exact(query: &mut Query, is_narrative: bool, tree: &Tree) {
    match tree {
        Tree::Phrase(Phrase { words, is_prefix }) => {
            query.sql(match is_narrative {
                true => "strpos(' ' || i.narrative || ' ', ",
                false => "strpos(' ' || i.narrative || ' | ' || i.rest || ' ', ",
            });
            query.text(format!(" {words}{}", if *is_prefix { "" } else { " " })).sql(") > 0");
        }
        Tree::All(trees) => exact_list(query, is_narrative, trees, " AND "),
        Tree::Any(trees) => exact_list(query, is_narrative, trees, " OR "),
        Tree::Without(with, without) => {
            query.sql("(");
            exact(query, is_narrative, with);
            query.sql(" AND NOT ");
            exact(query, is_narrative, without);
            query.sql(")");
        }
    }
}

fn exact_list(query: &mut Query, is_narrative: bool, trees: &[Tree], sign: &'static str) {
    for (place, tree) in trees.iter().enumerate() {
        query.sql(if place == 0 { "(" } else { sign });
        exact(query, is_narrative, tree);
    }
    query.sql(")");
}
