//! The rows of a token parameter whose codes are those of a value set, or of a part of a hierarchy.
//!
//! There may be tens of thousands of them, so that they are bound as one text, from which the database reads them.

use crate::search::compile::CompileContext;
use crate::search::compile::rows::{from, hash_system};
use crate::search::fold::fold_code;
use crate::search::{Codes, Parameter, dialect};
use crate::store::Query;

/// ` FROM index_token i WHERE ..`
pub(super) fn among(query: &mut Query, parameter: &Parameter, codes: &Codes, context: &CompileContext<'_>) {
    let keys = |pairs: &[(String, String)]| -> Vec<[i64; 2]> {
        let key =
            |(system, code): &(String, String)| [context.hasher.text(&fold_code(code)), hash_system(system, context)];
        pairs.iter().map(key).collect()
    };
    from(query, parameter);
    if codes.systems.is_empty() {
        query.sql(" AND (i.code, i.system) IN ");
        pairs(query, &keys(&codes.listed), context);
        return;
    }
    query.sql(" AND (");
    if !codes.listed.is_empty() {
        query.sql("(i.code, i.system) IN ");
        pairs(query, &keys(&codes.listed), context);
        query.sql(" OR ");
    }
    let systems: Vec<[i64; 1]> = codes.systems.iter().map(|system| [hash_system(system, context)]).collect();
    // Without a code, a system is no code of the system.
    query.sql("i.code <> 0 AND i.system IN (SELECT CAST(v.value ->> 0 AS BIGINT) FROM ");
    rows(query, &systems, context);
    query.sql(")");
    if !codes.except.is_empty() {
        query.sql(" AND (i.code, i.system) NOT IN ");
        pairs(query, &keys(&codes.except), context);
    }
    query.sql(")");
}

/// `(SELECT ..)`
fn pairs(query: &mut Query, keys: &[[i64; 2]], context: &CompileContext<'_>) {
    query.sql("(SELECT CAST(v.value ->> 0 AS BIGINT), CAST(v.value ->> 1 AS BIGINT) FROM ");
    rows(query, keys, context);
    query.sql(")");
}

/// A table `v` whose column `value` holds a list of numbers.
fn rows<const WIDTH: usize>(query: &mut Query, rows: &[[i64; WIDTH]], context: &CompileContext<'_>) {
    let mut text = String::with_capacity(2 + rows.len() * (WIDTH * 21 + 2));
    text.push('[');
    for (place, row) in rows.iter().enumerate() {
        text.push_str(if place == 0 { "[" } else { ",[" });
        for (place, number) in row.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "," });
            text.push_str(&number.to_string());
        }
        text.push(']');
    }
    text.push(']');
    let (open, close) = dialect::members_of_json(context.dialect);
    query.sql(open).text(text).sql(close).sql(" v");
}
