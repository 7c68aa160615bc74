//! From a query that fails to the least that still fails.

use crate::search_oracle::filters;
use crate::search_oracle::queries::Query;

/// Queries with one thing less each.
pub fn smaller(query: &Query) -> Vec<Query> {
    let mut all = Vec::new();
    for place in 0..query.criteria.len() {
        let mut less = query.clone();
        less.criteria.remove(place);
        all.push(less);
        for value in 0..query.criteria[place].values.len() {
            if query.criteria[place].values.len() > 1 {
                let mut less = query.clone();
                less.criteria[place].values.remove(value);
                all.push(less);
            }
        }
    }
    for (place, criterion) in query.criteria.iter().enumerate() {
        if criterion.name.ends_with("_filter") {
            for filter in filters::smaller(&filters::read(&criterion.values[0])) {
                let mut less = query.clone();
                less.criteria[place].values = vec![filter.to_string()];
                all.push(less);
            }
        }
    }
    for place in 0..query.includes.len() {
        let mut less = query.clone();
        less.includes.remove(place);
        all.push(less);
    }
    if query.page < 1000 {
        all.push(Query { page: 1000, ..query.clone() });
    }
    if let Some(sort) = &query.sort {
        all.push(Query { sort: None, ..query.clone() });
        let keys: Vec<&str> = sort.split(',').collect();
        for place in (0..keys.len()).filter(|_| keys.len() > 1) {
            let mut fewer = keys.clone();
            fewer.remove(place);
            all.push(Query { sort: Some(fewer.join(",")), ..query.clone() });
        }
    }
    if query.is_posted {
        all.push(Query { is_posted: false, ..query.clone() });
    }
    if query.compartment.is_some() {
        all.push(Query { compartment: None, ..query.clone() });
    }
    all
}
