//! Pieces that every condition is made of.

use crate::store::Query;

/// ` = ..` or ` IN (..)`.
pub(super) fn one_of<T>(query: &mut Query, values: &[T], bind: impl Fn(&mut Query, &T)) {
    match values {
        [only] => {
            query.sql(" = ");
            bind(query, only);
        }
        _ => {
            query.sql(" IN (");
            list(query, values, bind);
            query.sql(")");
        }
    }
}

pub(super) fn list<T>(query: &mut Query, values: &[T], bind: impl Fn(&mut Query, &T)) {
    separated(query, values, ", ", bind);
}

pub(super) fn separated<T>(query: &mut Query, values: &[T], separator: &'static str, write: impl Fn(&mut Query, &T)) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            query.sql(separator);
        }
        write(query, value);
    }
}

/// What stands before the next of several alternatives.
#[derive(Default)]
pub(super) struct Or(bool);

impl Or {
    pub(super) fn next(&mut self) -> &'static str {
        if std::mem::replace(&mut self.0, true) { " OR " } else { "" }
    }
}

/// What stands before the next of several demands.
#[derive(Default)]
pub(super) struct And(bool);

impl And {
    pub(super) fn next(&mut self) -> &'static str {
        if std::mem::replace(&mut self.0, true) { " AND " } else { "" }
    }
}
