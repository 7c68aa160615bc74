//! From a query that fails to the least that still fails.

use crate::search_oracle::queries::Query;

/// Queries with one thing less each.
pub fn smaller(query: &Query) -> Vec<Query> {
    let mut all = Vec::new();
    for place in 0..query.criteria.len() {
        if query.criteria.len() > 1 {
            let mut less = query.clone();
            less.criteria.remove(place);
            all.push(less);
        }
        for value in 0..query.criteria[place].values.len() {
            if query.criteria[place].values.len() > 1 {
                let mut less = query.clone();
                less.criteria[place].values.remove(value);
                all.push(less);
            }
        }
    }
    if query.page < 1000 {
        all.push(Query { page: 1000, ..query.clone() });
    }
    all
}
